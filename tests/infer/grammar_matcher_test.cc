// Masks against trying every token, going back against never having gone, forced bytes against all ways on.
#include "infer/grammar/matcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/error.h"
#include "base/random.h"
#include "infer/grammar/json_schema.h"
#include "infer/grammar/regex.h"
#include "text/unicode.h"

namespace fude::grammar {
namespace {

constexpr TokenId kEndToken = 0;

// All single bytes that the alphabet has, and random pieces of it; the end token is 0, and 1 is no text.
std::shared_ptr<const GrammarVocabulary> small_vocabulary(std::string_view alphabet, uint32_t seed) {
  std::mt19937 source(seed);
  std::vector<std::string> tokens = {"", ""};
  for (const char byte : alphabet) tokens.emplace_back(1, byte);
  for (int i = 0; i < 150; ++i) {
    std::string token;
    for (size_t n = 2 + source() % 4; n > 0; --n) token += alphabet[source() % alphabet.size()];
    tokens.push_back(token);
  }
  return std::make_shared<GrammarVocabulary>(tokens, std::vector<TokenId>{kEndToken});
}

// sum = sum ("+" | "-") term | term; term = digits | "(" sum ")": recursive on the left and in the middle.
Grammar sums_grammar(const GrammarLimits& limits = {}) {
  GrammarBuilder builder(limits);
  const int32_t sum = builder.add_rule(), term = builder.add_rule();
  const ExpressionPtr digits = repeat(byte_range('0', '1'), 1, kUnbounded);
  builder.define(sum,
                 choice({sequence({rule_reference(sum), choice({literal("+"), literal("-")}), rule_reference(term)}),
                         rule_reference(term)}));
  builder.define(term, choice({digits, sequence({literal("("), rule_reference(sum), literal(")")})}));
  return builder.compile(sum);
}

// s = s s | "a" | (empty): as ambiguous as it gets.
Grammar ambiguous_grammar() {
  GrammarBuilder builder({});
  const int32_t s = builder.add_rule();
  builder.define(s, choice({sequence({rule_reference(s), rule_reference(s)}), literal("a"), sequence({})}));
  return builder.compile(s);
}

// a^n b^n as lists with bounds: {2,3} of (x [y] x), where x may be empty.
Grammar bounded_grammar() {
  GrammarBuilder builder({});
  const int32_t start = builder.add_rule(), pair = builder.add_rule();
  builder.define(pair, sequence({literal("a"), optional(rule_reference(pair)), literal("b")}));
  builder.define(start, repeat(sequence({optional(rule_reference(pair)), literal("c")}), 2, 3));
  return builder.compile(start);
}

struct Case {
  Grammar grammar;
  std::string_view alphabet;
};
std::vector<Case> small_cases() {
  std::vector<Case> cases;
  cases.push_back({sums_grammar(), "01+-()"});
  cases.push_back({ambiguous_grammar(), "ab"});
  cases.push_back({bounded_grammar(), "abc"});
  cases.push_back({regex_grammar("(ab|a)*(b|c[^a]){1,3}"), "abc"});
  cases.push_back({regex_grammar("é+[à-ÿ]*|語."), "\xC3\xA9\xE8\xAA\x9E"});
  return cases;
}

TEST(GrammarMatcher, MasksAreWhatEachTokenSays) {
  for (const Case& one : small_cases()) {
    const auto vocabulary = small_vocabulary(one.alphabet, 3);
    const auto grammar = std::make_shared<TokenGrammar>(one.grammar, vocabulary);
    std::mt19937 source(4);
    for (int run = 0; run < 30; ++run) {
      Matcher matcher(grammar);
      TokenSet mask;
      for (int step = 0; step < 12; ++step) {
        matcher.allowed(mask);
        std::vector<TokenId> tokens;
        for (TokenId token = 0; token < vocabulary->size(); ++token) {
          const bool accepted = matcher.accept(token);
          if (accepted) matcher.rollback(1);
          EXPECT_EQ(mask.has(token), accepted) << vocabulary->bytes_of(token);
          if (accepted) tokens.push_back(token);
        }
        ASSERT_FALSE(tokens.empty());
        EXPECT_EQ(mask.count(), int64_t(tokens.size()));
        EXPECT_FALSE(mask.has(1));
        const TokenId token = tokens[source() % tokens.size()];
        ASSERT_TRUE(matcher.accept(token));
        if (matcher.is_done()) break;
      }
      if (!matcher.is_done()) continue;
      matcher.allowed(mask);
      EXPECT_EQ(mask.count(), 0);
    }
  }
}

// Characters of every kind, in tokens of up to 40: what is known of them without walking is what each token says. The
// lexemes loop, count, mix kinds, take all but some, end inside tokens, and go on behind their end.
TEST(GrammarMatcher, KindsOfCharactersSayWhatEachTokenSays) {
  std::vector<std::string> characters = {"a", "f",  "g",  "z",  "A", "G", "0",  "9",      " ",      "-",    ".",
                                         ",", "\"", "\\", "\n", "é", "Ж", "語", "😀",      "\xC3",   "\xA9", "\xE8\xAA",
                                         "~", "(",  ")",  "Å",  "ǅ", "ʰ", "٣",  "\u0301", "\u00A0", "·",    "𝔘"};
  std::mt19937 source(9);
  std::vector<std::string> tokens = {"", ""};
  for (int i = 0; i < 3000; ++i) {
    // Mostly of few kinds, as words are.
    const size_t first = source() % characters.size(), kinds = 1 + source() % 4;
    std::string token;
    for (size_t n = i % 50 == 0 ? 1 + source() % 40 : 1 + source() % 6; n > 0; --n)
      token += characters[(first + source() % kinds) % characters.size()];
    tokens.push_back(token);
  }
  tokens.insert(tokens.end(), characters.begin(), characters.end());
  // Many that begin with the same bytes and that nothing goes on from.
  for (const auto& [first, last] : {std::pair{0x180u, 0x1BFu}, {0xCC28u, 0xCC3Cu}, {0x1F400u, 0x1F413u}})
    for (uint32_t c = first; c <= last; ++c) append_utf8(tokens.emplace_back(), c);
  const auto vocabulary = std::make_shared<GrammarVocabulary>(tokens, std::vector<TokenId>{kEndToken});
  std::vector<Grammar> grammars;
  for (const char* pattern :
       {"[a-z]+", "[a-z]{3,9}", "[A-Za-z ]{0,20}-", ".{0,5}", ".{4}(-.{2})*", "[^,.]*(,[^,.]+)*", "[a-f0-9]{1,8}",
        "[A-G][a-z]*( [A-G][a-z]*)*", "\\p{L}+", "(.|\\n)*9", "\\p{Lu}\\p{Ll}*", "[\\p{L}\\p{M}]*[ '-]\\p{N}+",
        "(\\p{L}{2,4}-?)+", "[^\\p{L}]*", "[ƀ-ƅ]+x", "[차착]+", "[\\u{1F400}-\\u{1F402}]+", "[é-ж]{2,7}a?"})
    grammars.push_back(regex_grammar(pattern));
  for (const char* schema :
       {R"({"type":"array","items":{"type":"string","maxLength":6}})",
        R"({"type":"string","minLength":3,"maxLength":40})",
        R"({"type":"array","items":{"type":"string","pattern":"^[a-z]{1,5}( [a-z]{1,5})?$"}})", "true"})
    grammars.push_back(json_schema_grammar(std::string_view(schema)));
  int checked = 0;
  for (const Grammar& one : grammars) {
    const auto grammar = std::make_shared<TokenGrammar>(one, vocabulary);
    for (int run = 0; run < 3; ++run) {
      Matcher matcher(grammar);
      TokenSet mask;
      for (int step = 0; step < 10 && !matcher.is_done(); ++step) {
        matcher.allowed(mask);
        std::vector<TokenId> allowed;
        for (TokenId token = 0; token < vocabulary->size(); ++token) {
          const bool accepted = matcher.accept(token);
          if (accepted) matcher.rollback(1), allowed.push_back(token);
          ASSERT_EQ(mask.has(token), accepted) << vocabulary->bytes_of(token);
        }
        if (allowed.empty()) break;  // in the middle of a character that no token goes on with
        ASSERT_TRUE(matcher.accept(allowed[source() % allowed.size()]));
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 250);
}

// Far from its bounds a length says nothing about a token, near them it does.
TEST(GrammarMatcher, LengthsAreWhatEachTokenSays) {
  std::vector<std::string> tokens = {""};
  for (const char* character : {"x", "語", "\\n", "\\uD83D\\uDE00"})
    for (const size_t count : {1u, 2u, 3u, 20u, 80u, 255u, 256u, 257u})
      for (const char* behind : {"", "\"", "\\", "\xE8"}) {
        std::string token;
        for (size_t i = 0; i < count; ++i) token += character;
        tokens.push_back(token + behind);
      }
  tokens.emplace_back("\"");
  const auto vocabulary = std::make_shared<GrammarVocabulary>(tokens, std::vector<TokenId>{kEndToken});
  for (const char* bounds : {R"("minLength":300,"maxLength":1000)", R"("minLength":300,"maxLength":400)",
                             R"("minLength":1,"maxLength":5000)", R"("minLength":600)", R"("maxLength":3)"}) {
    const std::string schema = fmt::format(R"({{"type":"string",{}}})", bounds);
    const auto grammar = std::make_shared<TokenGrammar>(json_schema_grammar(std::string_view(schema)), vocabulary);
    Matcher matcher(grammar);
    ASSERT_TRUE(matcher.accept(TokenId(tokens.size()) - 1));
    TokenSet mask;
    const TokenId one = 1;
    for (int length = 0; length <= 1000; ++length) {
      // All lengths near a bound or near where its nearness begins to matter, and some others.
      const bool is_near = length < 4 || length % 97 == 0 || (length > 40 && length < 48) ||
                           (length > 140 && length < 148) || (length > 295 && length < 404) ||
                           (length > 740 && length < 748) || length > 995;
      if (is_near) {
        matcher.allowed(mask);
        for (TokenId token = 0; token < vocabulary->size(); ++token) {
          const bool accepted = matcher.accept(token);
          if (accepted) matcher.rollback(1);
          EXPECT_EQ(mask.has(token), accepted) << schema << " " << length << " " << vocabulary->bytes_of(token);
        }
      }
      if (!matcher.accept(one)) break;
    }
  }
}

TEST(GrammarMatcher, GoingBackIsNeverHavingGone) {
  for (const Case& one : small_cases()) {
    const auto vocabulary = small_vocabulary(one.alphabet, 5);
    const auto grammar = std::make_shared<TokenGrammar>(one.grammar, vocabulary);
    std::mt19937 source(6);
    Matcher matcher(grammar);
    std::vector<TokenId> taken;
    for (int step = 0; step < 300; ++step) {
      if (source() % 3 == 0) {
        const size_t count = source() % (taken.size() + 1);
        matcher.rollback(count);
        taken.resize(taken.size() - count);
      } else if (const auto token = TokenId(source() % size_t(vocabulary->size())); matcher.accept(token)) {
        taken.push_back(token);
      }
      Matcher fresh(grammar);
      for (const TokenId token : taken) ASSERT_TRUE(fresh.accept(token));
      TokenSet mask, expected;
      matcher.allowed(mask);
      fresh.allowed(expected);
      ASSERT_EQ(mask, expected);
      ASSERT_EQ(matcher.can_end(), fresh.can_end());
    }
    EXPECT_THROW(matcher.rollback(taken.size() + 1), Error);
  }
}

TEST(GrammarMatcher, ForcedBytesAreTheOnlyWayOn) {
  const auto vocabulary = small_vocabulary("abcdef", 7);
  Matcher matcher(std::make_shared<TokenGrammar>(regex_grammar("abc(de|df)?"), vocabulary));
  EXPECT_EQ(matcher.forced_bytes(), "abc");
  ASSERT_TRUE(matcher.accept(2));  // a
  EXPECT_EQ(matcher.forced_bytes(), "bc");
  ASSERT_TRUE(matcher.accept(3) && matcher.accept(4));
  EXPECT_EQ(matcher.forced_bytes(), "");  // it may end
  ASSERT_TRUE(matcher.accept(5));
  EXPECT_EQ(matcher.forced_bytes(), "");
  EXPECT_FALSE(matcher.accept(kEndToken));
  // A limit that is passed on the way leaves the matcher where it was.
  Matcher limited(std::make_shared<TokenGrammar>(regex_grammar("abcdef", {.lexer_states = 3}), vocabulary));
  EXPECT_THROW(limited.forced_bytes(), Error);
  EXPECT_TRUE(limited.accept(2));
}

// What is foreseen is what the tokenizer cuts; the last token may be longer, by what comes behind it.
TEST(GrammarMatcher, ForeseenTokensAreTheTokenizers) {
  const std::string goldens = FUDE_SOURCE_DIR "/tests/goldens/";
  for (const char* name : {"text/tokenizer.json", "sentencepiece/llama.json", "sentencepiece/gemma.json"}) {
    const auto vocabulary = std::make_shared<GrammarVocabulary>(Tokenizer::load(goldens + name));
    const auto grammar = std::make_shared<TokenGrammar>(
        json_schema_grammar(
            std::string_view(R"({"type": "object", "properties": {"temperature_in_celsius": {"type": "integer"},
                "the description of it": {"type": "string"}}, "required": ["temperature_in_celsius",
                "the description of it"], "additionalProperties": false})"),
            {.has_space = false}),
        vocabulary);
    size_t foreseen = 0;
    for (const char* answer : {R"({"temperature_in_celsius":12,"the description of it":"warm"})",
                               R"({"temperature_in_celsius":-7,"the description of it":" and cold"})",
                               R"({"temperature_in_celsius":100,"the description of it":"\n"})",
                               R"({"temperature_in_celsius":0,"the description of it":""})"}) {
      // A tokenizer may put a space before a text: what comes behind it is cut as in the middle of one.
      const std::vector<TokenId> begin = vocabulary->tokenizer()->encode("{");
      std::vector<TokenId> tokens = vocabulary->tokenizer()->encode(std::string("{") + answer);
      ASSERT_TRUE(std::equal(begin.begin(), begin.end(), tokens.begin())) << name;
      tokens.erase(tokens.begin(), tokens.begin() + ptrdiff_t(begin.size()));
      Matcher matcher(grammar);
      for (size_t i = 0; i < tokens.size(); ++i) {
        std::vector<TokenId> next = matcher.foreseen(100);
        if (i > 0) {
          foreseen += next.size();
          if (!next.empty()) next.pop_back();
          ASSERT_LE(next.size(), tokens.size() - i);
          EXPECT_TRUE(std::equal(next.begin(), next.end(), tokens.begin() + ptrdiff_t(i)))
              << name << ": " << answer << " at " << i;
        }
        ASSERT_TRUE(matcher.accept(tokens[i])) << name << ": " << answer << " at " << i;
      }
      EXPECT_TRUE(matcher.can_end());
    }
    EXPECT_GT(foreseen, 40u) << name;
  }
}

// What one text took is not missing to the next.
TEST(GrammarMatcher, EveryTextHasItsOwnWork) {
  const auto vocabulary = small_vocabulary("abc", 8);
  const auto grammar = std::make_shared<TokenGrammar>(regex_grammar("[ab]*a[ab]{9}", {.lexer_work = 3000}), vocabulary);
  EXPECT_FALSE(grammar->is_worn());
  bool has_failed = false;
  for (int64_t text = 0; text < 40; ++text) {
    Matcher matcher(grammar);
    try {
      for (int64_t i = 0; i < 8; ++i) ASSERT_TRUE(matcher.accept(TokenId(2 + (text >> i) % 2)));
    } catch (const Error&) { has_failed = true; }
  }
  EXPECT_FALSE(has_failed);
  EXPECT_TRUE(grammar->is_worn());
  Matcher matcher(grammar);
  Random random{7, 0, 0};
  EXPECT_THROW(for (int64_t i = 0; i < 1000; ++i) matcher.accept(TokenId(2 + random.below(2))), Error);
}

TEST(GrammarMatcher, NestingAndAmbiguityStayWithinLimits) {
  GrammarLimits limits;
  limits.depth = 20;
  const auto vocabulary = small_vocabulary("01+-()", 8);
  Matcher deep(std::make_shared<TokenGrammar>(sums_grammar(limits), vocabulary));
  int opened = 0;
  while (opened < 100 && deep.accept(6)) ++opened;  // (
  EXPECT_GT(opened, 5);
  EXPECT_LT(opened, 21);
  EXPECT_TRUE(deep.accept(2));  // what is open can still be closed
  while (opened-- > 0) EXPECT_TRUE(deep.accept(7));
  EXPECT_TRUE(deep.accept(kEndToken));

  Matcher ambiguous(std::make_shared<TokenGrammar>(ambiguous_grammar(), small_vocabulary("ab", 8)));
  TokenSet mask;
  for (int i = 0; i < 300; ++i) {
    ambiguous.allowed(mask);
    ASSERT_TRUE(ambiguous.accept(2));
  }
}

// Inside a lexeme, too, where tokens are tried on the lexer alone.
TEST(GrammarMatcher, EveryByteTriedForAMaskCounts) {
  const auto vocabulary = small_vocabulary("abc", 8);
  Matcher limited(std::make_shared<TokenGrammar>(regex_grammar("[ab]{40}", {.mask_steps = 10}), vocabulary));
  TokenSet mask;
  EXPECT_THROW(limited.allowed(mask), Error);
  EXPECT_TRUE(limited.accept(2));
}

TEST(GrammarMatcher, GrammarsWithoutTextsAreRefused) {
  GrammarBuilder builder({});
  const int32_t rule = builder.add_rule();
  builder.define(rule, sequence({literal("a"), rule_reference(rule)}));
  EXPECT_THROW(builder.compile(rule), Error);
  GrammarBuilder undefined({});
  EXPECT_THROW(undefined.compile(undefined.add_rule()), Error);
}

TEST(GrammarMatcher, MasksLeaveTheOthersTheirProportions) {
  TokenSet mask(100);
  mask.set(3);
  mask.set(70);
  std::vector<float> logprobs(100, -1.0f);
  keep_allowed(mask, logprobs);
  for (int token = 0; token < 100; ++token) EXPECT_EQ(std::isinf(logprobs[size_t(token)]), token != 3 && token != 70);
  // A model may have fewer rows than there are tokens, or more.
  for (size_t rows : {70, 200}) {
    std::vector<float> other(rows, -1.0f);
    keep_allowed(mask, other);
    for (size_t token = 0; token < rows; ++token) EXPECT_EQ(std::isinf(other[token]), token != 3 && token != 70);
  }
  mask.clear();
  EXPECT_THROW(keep_allowed(mask, logprobs), Error);
}

}  // namespace
}  // namespace fude::grammar
