#include "text/pretokenize.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "tests/reference/random_text.h"
#include "tests/reference/text_reference.h"
#include "tests/support/growth.h"

namespace fude {
namespace {

using reference::pieces_of;
using Pieces = std::vector<std::string>;

Pieces known(std::string_view name, std::string_view text) {
  return pieces_of(*make_known_splitter(named_pattern(name)), text);
}

TEST(Pretokenize, Gpt2) {
  EXPECT_EQ(known("gpt2", "I'll be  there, it's 2024!\n\n x"),
            (Pieces{"I", "'ll", " be", " ", " there", ",", " it", "'s", " 2024", "!", "\n\n", " x"}));
  EXPECT_EQ(known("gpt2", "a  "), (Pieces{"a", "  "}));
}

TEST(Pretokenize, O200k) {
  EXPECT_EQ(known("o200k", "HelloWorld ABCdef it'S\n\n12345 a//\n/b"),
            (Pieces{"Hello", "World", " ABCdef", " it'S", "\n\n", "123", "45", " a", "//\n/", "b"}));
  // The prefix character is given up before upper case alone is tried: a mark before capitals stands alone.
  EXPECT_EQ(known("o200k",
                  "\xCC\x81"
                  "AB"),
            (Pieces{"\xCC\x81", "AB"}));
}

TEST(Pretokenize, Qwen2) {
  EXPECT_EQ(known("qwen2", "it'RE 12 \tx\r\n\n y"), (Pieces{"it", "'RE", " ", "1", "2", " ", "\tx", "\r\n\n", " y"}));
  EXPECT_EQ(known("cl100k", "12345"), (Pieces{"123", "45"}));
}

TEST(Pretokenize, WhiteSpaceAtTheEnd) {
  EXPECT_EQ(known("llama3", "x\n "), (Pieces{"x", "\n", " "}));
  EXPECT_EQ(known("cl100k", "x\n "), (Pieces{"x", "\n "}));
}

TEST(Pretokenize, EveryKnownPatternEqualsTheRegularExpression) {
  for (const char* name : {"gpt2", "cl100k", "llama3", "qwen2", "o200k"}) {
    const auto fast = make_known_splitter(named_pattern(name));
    const auto oracle = make_regex_splitter(named_pattern(name));
    Random random{1, 2};
    for (int n = 0; n < 10000; ++n) {
      const std::string text = reference::random_text(random, 1 + random.below(n % 100 == 0 ? 400 : 14));
      ASSERT_EQ(pieces_of(*fast, text), pieces_of(*oracle, text)) << name << ": " << testing::PrintToString(text);
    }
  }
}

TEST(Pretokenize, SpellingsOfOnePatternAreKnown) {
  const std::string_view tiktoken_gpt2 =
      R"('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)";
  const std::string_view tiktoken_cl100k =
      R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)";
  EXPECT_EQ(canonical_pattern(tiktoken_gpt2), named_pattern("gpt2"));
  EXPECT_EQ(canonical_pattern(tiktoken_cl100k), named_pattern("cl100k"));
  EXPECT_EQ(pattern_called(tiktoken_gpt2), named_pattern("gpt2"));
  EXPECT_EQ(pattern_called("o200k"), named_pattern("o200k"));
  EXPECT_EQ(pattern_called(R"(\w+)"), R"(\w+)");
  for (const std::string_view pattern : {tiktoken_gpt2, tiktoken_cl100k}) {
    const auto fast = make_known_splitter(pattern), oracle = make_regex_splitter(pattern);
    Random random{1, 3};
    for (int n = 0; n < 3000; ++n) {
      const std::string text = reference::random_text(random, 12);
      ASSERT_EQ(pieces_of(*fast, text), pieces_of(*oracle, text)) << testing::PrintToString(text);
    }
  }
}

TEST(Pretokenize, InvalidBytesAreSymbols) {
  // As U+FFFD would be: one piece of symbols, the bytes kept.
  EXPECT_EQ(known("gpt2", "ab\xFF\xC3 \xE3\x81x"), (Pieces{"ab", "\xFF\xC3", " \xE3\x81", "x"}));
}

TEST(Pretokenize, ForeignPatternKeepsGaps) {
  EXPECT_EQ(pieces_of(*make_regex_splitter("[0-9]"),
                      "ab1\xFF"
                      "22c"),
            (Pieces{"ab", "1", "\xFF", "2", "2", "c"}));
  EXPECT_EQ(pieces_of(*make_regex_splitter("x*"), "axxb"), (Pieces{"a", "xx", "b"}));
  EXPECT_EQ(pieces_of(*make_regex_splitter(literal_pattern("a.b ")), "a.b axb "), (Pieces{"a.b ", "axb "}));
}

TEST(Pretokenize, BadPatternsAreErrors) {
  EXPECT_THROW(make_regex_splitter("(ab"), Error);
  EXPECT_THROW(make_regex_splitter("\xFF"), Error);
  EXPECT_THROW(named_pattern("gpt9"), Error);
  for (const char* name : {"gpt9", "o200", ""}) EXPECT_THROW(pattern_called(name), Error) << name;
}

TEST(Pretokenize, CatastrophicPatternIsAnErrorSoon) {
  const auto splitter = make_regex_splitter("(a+)+[^a]{2}");
  const double start = now_seconds();  // it would take longer than the universe has
  EXPECT_THROW(pieces_of(*splitter, std::string(5000, 'a') + "b"), Error);
  EXPECT_LT(now_seconds() - start, 60);
}

// Each match stays below the limit for one; there are just too many of them.
TEST(Pretokenize, ManyCostlyMatchesAreAnErrorSoon) {
  const auto splitter = make_regex_splitter("(?:a+)+b|[a-c]");
  std::string text;
  for (int i = 0; i < 2000; ++i) text += std::string(20, 'a') + "c";
  const double start = now_seconds();
  EXPECT_THROW(pieces_of(*splitter, text), Error);
  // Nor does another step before it give each of its pieces that many.
  const PreTokenizer steps({{SplitStep::Kind::after_text, "c"}, {SplitStep::Kind::pattern, "(?:a+)+b|[a-c]"}});
  EXPECT_THROW(pieces_of(steps, text), Error);
  EXPECT_LT(now_seconds() - start, 60);
}

TEST(Pretokenize, LongRunsAreLinear) {
  for (const char* name : {"gpt2", "cl100k", "llama3", "qwen2", "o200k"})
    for (const std::string unit : {"a", "A", " ", "\n", "1", "!", "\xE6\xBC\xA2", "\xCC\x81", "A\xCC\x81",
                                   "\xE6\xBC\xA2"
                                   "A",
                                   " \n", "'", "\xFF"}) {
      const double growth = growth_over_eightfold(20000, [&](size_t size) {
        std::string text;
        while (text.size() < size) text += unit;
        EXPECT_FALSE(known(name, text + "x").empty());
      });
      EXPECT_LT(growth, 24) << name << " of " << unit;
    }
}

TEST(Pretokenize, StepsFollowEachOther) {
  const PreTokenizer smollm(
      {{SplitStep::Kind::each_digit, {}}, {SplitStep::Kind::pattern, std::string(named_pattern("gpt2"))}});
  EXPECT_EQ(pieces_of(smollm, "in 2024, x"), (Pieces{"in", " ", "2", "0", "2", "4", ",", " x"}));
  const PreTokenizer runs({{SplitStep::Kind::digits, {}}});
  EXPECT_EQ(pieces_of(runs, "in 2024, x"), (Pieces{"in ", "2024", ", x"}));
  EXPECT_EQ(pieces_of(PreTokenizer(), "in 2024"), (Pieces{"in 2024"}));
  const PreTokenizer foreign({{SplitStep::Kind::after_text, "|"}, {SplitStep::Kind::pattern, "[0-9]"}});
  EXPECT_EQ(pieces_of(foreign,
                      "a1|\xFF"
                      "2|b"),
            (Pieces{"a", "1", "|", "\xFF", "2", "|", "b"}));
  EXPECT_EQ(pieces_of(smollm, ""), Pieces{});
}

}  // namespace
}  // namespace fude
