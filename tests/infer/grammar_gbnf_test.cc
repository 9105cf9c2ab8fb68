#include "infer/grammar/gbnf.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "infer/grammar/parser.h"

namespace fude::grammar {
namespace {

bool gbnf_matches(const std::string& grammar, std::string_view text) {
  GrammarLexers lexers(gbnf_grammar(grammar));
  Parser parser(lexers);
  return parser.push(text) && parser.can_end();
}

TEST(GrammarGbnf, ReadsTheNotation) {
  const std::string choice = "root ::= \"yes\" | # a comment\n  \"no\" reason?\nreason ::= \", \" [a-z ]{1,4} \".\"\n";
  for (const char* text : {"yes", "no", "no, abc."}) EXPECT_TRUE(gbnf_matches(choice, text)) << text;
  for (const char* text : {"", "ye", "yesno", "no, .", "no, abcde.", "no, ABC."})
    EXPECT_FALSE(gbnf_matches(choice, text)) << text;
  EXPECT_TRUE(gbnf_matches("root ::= (\"a\"\n | [^b\\]] )+ .", "xay語"));
  EXPECT_TRUE(gbnf_matches("root ::= \"\\x41\\u00e9\\n\\\"\" [\\U0001F600-\\U0001F64F]", "Aé\n\"😁"));
  EXPECT_TRUE(gbnf_matches("root ::= \"a\"{2} \"b\"{,2} \"c\"{1,}", "aabcc"));
  EXPECT_FALSE(gbnf_matches("root ::= \"a\"{2} \"b\"{,2} \"c\"{1,}", "aabbbc"));
}

TEST(GrammarGbnf, RulesMayBeRecursiveAnywhere) {
  const std::string sums = "root ::= root [+-] term | term\nterm ::= [0-9]+ | \"(\" root \")\"\n";
  EXPECT_TRUE(gbnf_matches(sums, "1+(2-3)-4"));
  EXPECT_FALSE(gbnf_matches(sums, "1+(2-3"));
  const std::string nested = "root ::= x\nx ::= \"a\" x \"b\" | \"\"\n";
  EXPECT_TRUE(gbnf_matches(nested, "aaabbb"));
  EXPECT_FALSE(gbnf_matches(nested, "aaabb"));
  const std::string hidden = "root ::= empty root \"x\" | \"y\"\nempty ::= \"\" | \"e\"\n";
  EXPECT_TRUE(gbnf_matches(hidden, "eyxx"));
  EXPECT_FALSE(gbnf_matches(hidden, "eeeyxx"));
  const std::string counted = "root ::= pair{2,3}\npair ::= \"(\" pair? \")\"\n";
  EXPECT_TRUE(gbnf_matches(counted, "(())()"));
  EXPECT_FALSE(gbnf_matches(counted, "()"));
  EXPECT_FALSE(gbnf_matches(counted, "()()()()"));
  for (const char* never : {"root ::= x{0}\nx ::= \"a\"\n", "root ::= x{,0}\nx ::= \"a\"\n",
                            "root ::= (x{0}){2}\nx ::= \"a\" x | \"a\"\n"}) {
    EXPECT_TRUE(gbnf_matches(never, "")) << never;
    EXPECT_FALSE(gbnf_matches(never, "a")) << never;
  }
}

// grammars/json.gbnf of llama.cpp.
TEST(GrammarGbnf, ReadsTheJsonExample) {
  const std::string json = R"(root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws

array  ::=
  "[" ws (
            value
    ("," ws value)*
  )? "]" ws

string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws

number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws

# Optional space: by convention, applied in this grammar after literal chars when allowed
ws ::= | " " | "\n" [ \t]{0,20}
)";
  EXPECT_TRUE(gbnf_matches(json, R"({"a": [1, -2.5e3, "x\n\u00e9"], "b": {"c": null}})"));
  EXPECT_TRUE(gbnf_matches(json, "{}"));
  EXPECT_FALSE(gbnf_matches(json, R"({"a": [1, -2.5e3, "x\q"]})"));
  EXPECT_FALSE(gbnf_matches(json, R"({"a" 1})"));
}

TEST(GrammarGbnf, NamesWhatIsWrong) {
  const auto refused = [](const std::string& grammar, const std::string& word) {
    try {
      gbnf_grammar(grammar);
      ADD_FAILURE() << grammar << " was not refused";
    } catch (const Error& error) { EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what(); }
  };
  refused("", "root");
  refused("a ::= \"b\"", "root");
  refused("root ::= missing", "no rule 'missing'");
  refused("root ::= \"a\"\nroot ::= \"b\"", "[gbnf:2] the rule 'root' is defined twice");
  refused("root = \"a\"", "::=");
  refused("root ::= \"a", "end");
  refused("root ::= (\"a\"", "')'");
  refused("root ::= [b-a]", "out of order");
  refused("root ::= \"a\"{3,2}", "out of order");
  refused("root ::= root", "no text");
  refused("root ::= \"\\q\"", "escape");
  refused("root ::= * \"a\"", "unexpected '*'");
  refused("root ::= é", "unexpected 'é'");
}

// Lexemes that turn out to be nothing have cost what they took to build.
TEST(GrammarGbnf, WorkForNothingCounts) {
  std::string rules, root = "root ::= \"x\"";
  for (int i = 0; i < 1000; ++i) {
    rules += fmt::format("r{} ::= \"a\"{{262144}}[]\n", i);
    root += fmt::format(" | r{}", i);
  }
  try {
    gbnf_grammar(root + "\n" + rules, {.lexer_work = 10'000'000});
    ADD_FAILURE() << "it was not refused";
  } catch (const Error& error) { EXPECT_NE(std::string(error.what()).find("more work"), std::string::npos); }
}

}  // namespace
}  // namespace fude::grammar
