// Regular expressions against PCRE2: random patterns and texts, the same answers.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <gtest/gtest.h>
#include <pcre2.h>

#include <random>
#include <string>

#include "base/error.h"
#include "infer/grammar/regex.h"
#include "text/unicode.h"

namespace fude::grammar {
namespace {

class PcrePattern {
 public:
  explicit PcrePattern(const std::string& pattern) {
    int error = 0;
    PCRE2_SIZE where = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                          PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error, &where, nullptr);
    EXPECT_NE(code_, nullptr) << pattern;
    data_ = pcre2_match_data_create_from_pattern(code_, nullptr);
  }
  PcrePattern(const PcrePattern&) = delete;
  ~PcrePattern() {
    pcre2_match_data_free(data_);
    pcre2_code_free(code_);
  }
  bool matches(const std::string& text, uint32_t options) const {
    return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, options, data_, nullptr) >= 0;
  }

 private:
  pcre2_code* code_;
  pcre2_match_data* data_;
};

using Source = std::mt19937;
size_t pick(Source& source, size_t count) { return source() % count; }

std::string random_pattern(Source& source, int depth) {
  static const std::vector<std::string> kAtoms = {"a",      "b",   "1",      "é",     "語",    ".",       "\\d",
                                                  "\\w",    "\\s", "\\W",    "[ab]",  "[^a1]", "[a-c語]", "\\.",
                                                  "[^\\d]", "x",   "[\\s1]", "[à-ÿ]", "\\x62", "\\-"};
  static const std::vector<std::string> kCounts = {"*", "+", "?", "{2}", "{1,}", "{0,2}", "{1,3}", "*?", "+?", "{0}"};
  if (depth == 0) {
    const std::string& atom = kAtoms[pick(source, kAtoms.size())];
    return atom;
  }
  switch (pick(source, 8)) {
    case 0:
      return random_pattern(source, depth - 1) + "|" + random_pattern(source, depth - 1);
    case 1:
      return "(" + random_pattern(source, depth - 1) + ")" + kCounts[pick(source, kCounts.size())];
    case 2:
      return "(?:" + random_pattern(source, depth - 1) + ")";
    case 3:
      return "^" + random_pattern(source, depth - 1);
    case 4:
      return random_pattern(source, depth - 1) + "$";
    default:
      return random_pattern(source, depth - 1) + random_pattern(source, depth - 1);
  }
}

std::string random_text(Source& source) {
  static const std::vector<std::string> kCharacters = {"a", "b", "c", "1", "é", "語", " ", ".", "-", "x", "😀"};
  std::string text;
  for (size_t n = pick(source, 7); n > 0; --n) text += kCharacters[pick(source, kCharacters.size())];
  return text;
}

bool regex_matches(const std::string& pattern, const std::string& text, RegexMatch match = RegexMatch::search) {
  return Lexer(compile_regex(pattern, match, Encoding::plain, {}), {}).matches(text);
}

TEST(GrammarRegex, AgreesWithPcre) {
  Source source(1);
  int matched = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string pattern = random_pattern(source, 3);
    const PcrePattern expected(pattern);
    Lexer search(compile_regex(pattern, RegexMatch::search, Encoding::plain, {}), {});
    Lexer whole(compile_regex(pattern, RegexMatch::whole, Encoding::plain, {}), {});
    for (int n = 0; n < 20; ++n) {
      const std::string text = random_text(source);
      EXPECT_EQ(search.matches(text), expected.matches(text, 0)) << pattern << " on " << text;
      EXPECT_EQ(whole.matches(text), expected.matches(text, PCRE2_ANCHORED | PCRE2_ENDANCHORED))
          << pattern << " on " << text;
      matched += whole.matches(text);
    }
  }
  EXPECT_GT(matched, 3000);
}

TEST(GrammarRegex, KnowsEscapesAndProperties) {
  EXPECT_TRUE(regex_matches("^\\p{Lu}\\p{Ll}+$", "Éclair"));
  EXPECT_FALSE(regex_matches("^\\p{Lu}$", "é"));
  EXPECT_TRUE(regex_matches("^\\u{1F600}$", "😀"));
  EXPECT_TRUE(regex_matches("^\\uD83D\\uDE00$", "😀"));
  EXPECT_TRUE(regex_matches("^[\\w.-]+@[\\w-]+$", "a.b-c@d-e"));
  EXPECT_TRUE(regex_matches("^a{,3}$", "a{,3}"));
  EXPECT_TRUE(regex_matches("^(?<year>\\d{4})$", "2024"));
  EXPECT_TRUE(regex_matches("\\cJ", "\n"));
  EXPECT_FALSE(regex_matches("[]", "a"));
  EXPECT_TRUE(regex_matches("^[^]$", "a"));
}

TEST(GrammarRegex, WritesJsonStringContent) {
  const auto pattern = compile_regex("^.[\"\\n]\\\\$", RegexMatch::search, Encoding::json_string, {});
  EXPECT_TRUE(Lexer(pattern, {}).matches("a\\\"\\\\"));
  EXPECT_TRUE(Lexer(pattern, {}).matches("\\t\\n\\\\"));
  EXPECT_FALSE(Lexer(pattern, {}).matches("a\"\\\\"));
  EXPECT_TRUE(Lexer(pattern, {}).matches("\\u0001\\n\\\\"));
}

TEST(GrammarRegex, RefusesByName) {
  const auto refused = [](const std::string& pattern, const std::string& word) {
    try {
      compile_regex(pattern, RegexMatch::search, Encoding::plain, {});
      ADD_FAILURE() << pattern << " was not refused";
    } catch (const Error& error) { EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what(); }
  };
  refused("(?=a)", "look-around");
  refused("(?<!a)", "look-around");
  refused("(a)\\1", "back-reference");
  refused("\\bx", "word boundaries");
  refused("(?i)a", "flags");
  refused("a++", "possessive");
  refused("a**", "nothing to repeat");
  refused("+a", "nothing to repeat");
  refused("a{2}{3}", "nothing to repeat");
  refused("a+{3}", "nothing to repeat");
  refused("{2}a", "nothing to repeat");
  refused("(a", "expected ')'");
  refused("a)", "unexpected ')'");
  refused("[a", "expected ']'");
  refused("[b-a]", "out of order");
  refused("a{3,2}", "out of order");
  refused("\\q", "\\q");
  refused("\\p{Greek}", "Greek");
  refused("((a{1000}){1000}){1000}", "states");
  refused(std::string(1000, '('), "nested");
}

TEST(GrammarRegex, ExponentialPatternsStopAtALimit) {
  GrammarLimits limits;
  limits.lexer_states = 1000;
  Lexer lexer(compile_regex("^(a|b)*a(a|b){20}$", RegexMatch::search, Encoding::plain, limits), limits);
  Source source(2);
  EXPECT_THROW(
      for (int i = 0; i < 1000; ++i) {
        std::string text;
        for (int n = 0; n < 40; ++n) text += "ab"[source() % 2];
        lexer.matches(text);
      },
      Error);
}

TEST(GrammarRegex, LanguagesCombine) {
  const GrammarLimits limits;
  const auto of = [&](const char* pattern) {
    return compile_regex(pattern, RegexMatch::whole, Encoding::plain, limits);
  };
  Lexer both(intersection(*of("[ab]*a"), *of(".{3}"), limits), limits);
  EXPECT_TRUE(both.matches("bba"));
  EXPECT_FALSE(both.matches("bbb"));
  EXPECT_FALSE(both.matches("ba"));
  Lexer without(difference(*of("[a-z]+"), *of("if|else"), limits), limits);
  EXPECT_TRUE(without.matches("i"));
  EXPECT_TRUE(without.matches("iff"));
  EXPECT_FALSE(without.matches("if"));
  EXPECT_TRUE(is_empty(*intersection(*of("a+"), *of("b+"), limits)));
  EXPECT_TRUE(is_empty(*difference(*of("ab"), *of("a?b"), limits)));
}

// A megabyte of them ends soon, in an error; it took minutes.
TEST(GrammarRegex, ManyPropertiesEndSoon) {
  std::string many, one_class = "[";
  while (many.size() < 1'000'000) many += "\\p{L}\\P{Ll}", one_class += "\\p{L}";
  EXPECT_THROW(compile_regex(many, RegexMatch::whole, Encoding::plain, {}), Error);
  EXPECT_THROW(compile_regex(one_class + "]", RegexMatch::whole, Encoding::json_string, {}), Error);
}

// A set of seven bytes is hundreds of kilobytes: what is too much is refused before it is all made.
TEST(GrammarRegex, SetsOfCharactersHaveALimitTogether) {
  std::string different, same;
  for (char32_t c = 0x3040; c < 0x3040 + 3000; ++c) {
    different += "[\\p{L}", append_utf8(different, c), different += "]";
    same += "[\\p{L}!]";
  }
  const auto error_of = [](const std::string& pattern) -> std::string {
    try {
      compile_regex(pattern, RegexMatch::whole, Encoding::json_string, {});
      return "";
    } catch (const Error& error) { return error.what(); }
  };
  EXPECT_NE(error_of(different).find("sets of characters"), std::string::npos) << error_of(different);
  EXPECT_NE(error_of(same).find("states"), std::string::npos);
  EXPECT_NE(error_of(std::string(250'000, '.')).find("states"), std::string::npos);
}

TEST(GrammarRegex, PropertiesHoldInClassesAndOutside) {
  for (const char* pattern : {"^\\p{Lu}+$", "^[\\p{Lu}]+$", "^[^\\P{Lu}]+$"}) {
    EXPECT_TRUE(regex_matches(pattern, "ÄЖA")) << pattern;
    EXPECT_FALSE(regex_matches(pattern, "Äж")) << pattern;
    EXPECT_FALSE(regex_matches(pattern, "1")) << pattern;
  }
  for (const char* pattern : {"^\\P{L}+$", "^[\\P{L}]+$", "^[^\\p{L}]+$"}) {
    EXPECT_TRUE(regex_matches(pattern, "1 😀")) << pattern;
    EXPECT_FALSE(regex_matches(pattern, "1語")) << pattern;
  }
}

}  // namespace
}  // namespace fude::grammar
