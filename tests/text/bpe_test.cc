#include "text/bpe.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "tests/reference/text_reference.h"
#include "tests/support/growth.h"

namespace fude {
namespace {

// A vocabulary of single letters and random merges, some of which spell the same bytes or can never be reached.
Vocabulary random_vocabulary(Random& random) {
  Vocabulary vocabulary;
  const std::string alphabet = "abcd";
  for (const char c : alphabet) vocabulary.tokens.push_back(std::string(1, c));
  std::map<std::string, TokenId> ids;
  const size_t merges = 1 + random.below(30);
  for (uint32_t rank = 0; rank < merges; ++rank) {
    const TokenId left = TokenId(random.below(vocabulary.tokens.size())),
                  right = TokenId(random.below(vocabulary.tokens.size()));
    const std::string bytes = vocabulary.tokens[size_t(left)] + vocabulary.tokens[size_t(right)];
    if (bytes.size() > 12) continue;
    const auto [known, fresh] = ids.emplace(bytes, TokenId(vocabulary.tokens.size()));
    if (fresh) vocabulary.tokens.push_back(bytes);
    vocabulary.merges.push_back({left, right, known->second, rank});
  }
  // Earlier files list merges in any order; ranks need not follow ids.
  for (size_t i = vocabulary.merges.size(); i > 1; --i)
    std::swap(vocabulary.merges[i - 1].rank, vocabulary.merges[random.below(i)].rank);
  std::sort(vocabulary.merges.begin(), vocabulary.merges.end(), [](auto& a, auto& b) { return a.rank < b.rank; });
  vocabulary.whole_pieces = random.below(3) == 0;
  if (random.below(3) == 0) {
    vocabulary.unknown = TokenId(vocabulary.tokens.size());
    vocabulary.tokens.push_back("<unk>");
    vocabulary.fuse_unknown = random.below(2);
  }
  return vocabulary;
}

std::string random_piece(Random& random, size_t length) {
  std::string piece;
  for (size_t i = 0; i < length; ++i) piece += "aabbcde"[random.below(random.below(2) ? 7 : 3)];
  return piece;
}

std::vector<TokenId> encode(const Bpe& bpe, std::string_view piece) {
  std::vector<TokenId> out = {7};  // appends
  bpe.encode_piece(piece, out);
  EXPECT_EQ(out[0], 7);
  return {out.begin() + 1, out.end()};
}

TEST(Bpe, EqualsTheDefinition) {
  Random random{3, 1};
  for (int n = 0; n < 400; ++n) {
    const Vocabulary vocabulary = random_vocabulary(random);
    const Bpe bpe(vocabulary);
    for (int k = 0; k < 20; ++k) {
      // Lengths on both sides of the border between the array and the heap.
      const std::string piece = random_piece(random, k < 17 ? random.below(20) : 90 + random.below(20));
      ASSERT_EQ(encode(bpe, piece), reference::encode_piece(vocabulary, piece)) << piece;
    }
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id)
      ASSERT_EQ(encode(bpe, vocabulary.tokens[id]), reference::encode_piece(vocabulary, vocabulary.tokens[id]));
  }
}

TEST(Bpe, RanksEqualTheDefinition) {
  Random random{3, 2};
  for (int n = 0; n < 400; ++n) {
    // Arbitrary strings as entries in arbitrary order, so that some come before their parts and some cannot
    // be reached.
    std::vector<std::string> tokens = {"a", "b", "c", "d", "e"};
    while (tokens.size() < 40) {
      const std::string token = random_piece(random, 2 + random.below(4));
      if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
    }
    for (size_t i = tokens.size(); i > 1; --i) std::swap(tokens[i - 1], tokens[random.below(i)]);
    const Bpe bpe(vocabulary_from_ranks(tokens));
    for (int k = 0; k < 20; ++k) {
      const std::string piece = random_piece(random, k < 17 ? 1 + random.below(20) : 90 + random.below(20));
      ASSERT_EQ(encode(bpe, piece), reference::encode_piece_by_ranks(tokens, piece)) << piece;
    }
  }
}

// Every cut of an entry that merges do not make is tried, so it may not be long.
TEST(Bpe, RanksRefuseLongOddEntries) {
  EXPECT_THROW(vocabulary_from_ranks({"a", std::string(1025, 'a')}), Error);
  EXPECT_EQ(vocabulary_from_ranks({"a", std::string(1024, 'a')}).tokens.size(), 2u);
}

TEST(Bpe, UnknownBytes) {
  Vocabulary vocabulary;
  vocabulary.tokens = {"a", "b", "ab", "?"};
  vocabulary.merges = {{0, 1, 2, 0}};
  EXPECT_EQ(encode(Bpe(vocabulary), "axb"), (std::vector<TokenId>{2}));
  vocabulary.unknown = 3;
  EXPECT_EQ(encode(Bpe(vocabulary), "axxb"), (std::vector<TokenId>{0, 3, 3, 1}));
  vocabulary.fuse_unknown = true;
  EXPECT_EQ(encode(Bpe(vocabulary), "axxb"), (std::vector<TokenId>{0, 3, 1}));
  EXPECT_EQ(Bpe(vocabulary).find("ab"), 2);
  EXPECT_EQ(Bpe(vocabulary).find("ba"), kNoToken);
  EXPECT_EQ(encode(Bpe(vocabulary), ""), std::vector<TokenId>{});
}

TEST(Bpe, TheLaterOfTwoMergesOfOnePairHolds) {
  Vocabulary vocabulary;
  vocabulary.tokens = {"a", "b", "ab", "bb"};
  vocabulary.merges = {{0, 1, 2, 0}, {1, 1, 3, 1}, {0, 1, 2, 2}};
  EXPECT_EQ(encode(Bpe(vocabulary), "abb"), (std::vector<TokenId>{0, 3}));
}

// What is found out about an entry when it comes the first time is right: "abc" is one that merging never makes.
TEST(Bpe, PiecesAreCutAlikeEachTime) {
  Vocabulary vocabulary;
  vocabulary.tokens = {"a", "b", "c", "ab", "bc", "abc"};
  vocabulary.merges = {{0, 1, 3, 0}, {1, 2, 4, 1}, {0, 4, 5, 2}};
  const Bpe bpe(vocabulary);
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(encode(bpe, "ab"), (std::vector<TokenId>{3}));
    EXPECT_EQ(encode(bpe, "abc"), (std::vector<TokenId>{3, 2}));
    EXPECT_EQ(encode(bpe, "bc"), (std::vector<TokenId>{4}));
  }
}

TEST(Bpe, BadVocabulariesAreErrors) {
  Vocabulary vocabulary;
  vocabulary.tokens = {"a", "b", "ab"};
  for (const Merge bad : {Merge{0, 1, 3, 0}, Merge{0, -1, 2, 0}, Merge{1, 0, 2, 0}, Merge{0, 1, 0, 0}}) {
    vocabulary.merges = {bad};
    EXPECT_THROW(Bpe{vocabulary}, Error);
  }
  vocabulary.merges.clear();
  vocabulary.tokens.push_back("a");
  EXPECT_THROW(Bpe{vocabulary}, Error);
}

TEST(Bpe, TimeIsNotQuadraticInARunOfOneLetter) {
  Vocabulary vocabulary;
  vocabulary.tokens = {"a"};
  for (int i = 0; i < 7; ++i) {
    vocabulary.tokens.push_back(vocabulary.tokens.back() + vocabulary.tokens.back());
    vocabulary.merges.push_back({i, i, i + 1, uint32_t(i)});
  }
  const Bpe bpe(vocabulary);
  EXPECT_LT(growth_over_eightfold(1 << 16,
                                  [&](size_t letters) {
                                    EXPECT_EQ(encode(bpe, std::string(letters, 'a')),
                                              std::vector<TokenId>(letters >> 7, 7));
                                  }),
            24);
}

}  // namespace
}  // namespace fude
