#include "data/packing.h"

#include <map>

#include "tests/data/corpus.h"

namespace fude {
namespace {

using Tokens = std::vector<int32_t>;  // with its end mark

DocumentTokens tokens_of(const std::vector<Tokens>& documents) {
  return {[&](int32_t, int64_t d) { return int64_t(documents[size_t(d)].size()); },
          [&](int32_t, int64_t d, int64_t begin, int64_t end, int32_t* out) {
            std::copy(documents[size_t(d)].begin() + begin, documents[size_t(d)].begin() + end, out);
          }};
}

std::vector<PackedRow> pack(const std::vector<Tokens>& documents, const PackingOptions& options) {
  Packer packer(options);
  std::vector<PackedRow> rows;
  for (size_t d = 0; d < documents.size(); ++d)
    for (int64_t begin = 0; begin < int64_t(documents[d].size()); begin += options.row_tokens) {
      const int64_t end = std::min(begin + options.row_tokens, int64_t(documents[d].size()));
      if (auto row = packer.add({0, int64_t(d), begin, end})) rows.push_back(*row);
      EXPECT_LE(int(packer.open_rows().size()), options.concat ? 1 : options.open_rows);
    }
  while (auto row = packer.flush()) rows.push_back(*row);
  return rows;
}

std::vector<Tokens> random_documents(Random& random) {
  std::vector<Tokens> documents(1 + random.below(40));
  int32_t token = 0;  // all different, so that a token tells where it came from
  for (Tokens& document : documents) {
    document.resize(1 + random.below(random.below(2) ? 8 : 60));
    for (int32_t& t : document) t = token++;
  }
  return documents;
}

TEST(Packing, FirstFitKeepsEveryTokenAndTarget) {
  Random random{.seed = 21};
  for (int round = 0; round < 500; ++round) {
    const auto documents = random_documents(random);
    const PackingOptions options{.row_tokens = 1 + int64_t(random.below(32)), .open_rows = 1 + int(random.below(6))};
    const auto rows = pack(documents, options);
    std::map<int32_t, int32_t> next_of;  // the reference: what follows each token in its document
    for (const Tokens& document : documents)
      for (size_t i = 0; i < document.size(); ++i)
        next_of[document[i]] = i + 1 < document.size() ? document[i + 1] : -1;

    const TokenBlock block = make_block(rows, options, tokens_of(documents), {});
    std::map<int32_t, int32_t> found;
    for (int64_t i = 0; i < block.tokens(); ++i) {
      ASSERT_TRUE(found.emplace(block.tokens_N[size_t(i)], block.targets_N[size_t(i)]).second);
    }
    ASSERT_EQ(found, next_of);
    ASSERT_EQ(block.padding, int64_t(rows.size()) * options.row_tokens - block.tokens());
    ASSERT_EQ(block.target_count, int64_t(next_of.size() - documents.size()));
    ASSERT_EQ(block.sequence_starts_S1.front(), 0);
    ASSERT_EQ(block.sequence_starts_S1.back(), block.tokens());
    for (int64_t s = 0; s < block.sequences(); ++s) {
      const int32_t begin = block.sequence_starts_S1[size_t(s)], end = block.sequence_starts_S1[size_t(s) + 1];
      ASSERT_LT(begin, end);
      for (int32_t i = begin; i < end; ++i) {
        ASSERT_EQ(block.positions_N[size_t(i)], i - begin);
        // Inside a sequence one token follows the other in the same document.
        if (i > begin) { ASSERT_EQ(block.tokens_N[size_t(i)], next_of[block.tokens_N[size_t(i) - 1]]); }
      }
    }
    for (const PackedRow& row : rows) {
      int64_t used = 0;
      for (const Piece& piece : row.pieces) used += piece.size();
      ASSERT_LE(used, options.row_tokens);
      ASSERT_GT(used, 0);
      ASSERT_FALSE(row.following);
    }
  }
}

// First-fit as one would write it down, without bookkeeping.
TEST(Packing, AgreesWithNaiveFirstFit) {
  Random random{.seed = 23};
  for (int round = 0; round < 500; ++round) {
    const auto documents = random_documents(random);
    const PackingOptions options{.row_tokens = 8 + int64_t(random.below(32)), .open_rows = 1 + int(random.below(6))};
    const auto used = [](const PackedRow& row) {
      int64_t sum = 0;
      for (const Piece& piece : row.pieces) sum += piece.size();
      return sum;
    };
    std::vector<PackedRow> expected, open;
    for (size_t d = 0; d < documents.size(); ++d)
      for (int64_t begin = 0; begin < int64_t(documents[d].size()); begin += options.row_tokens) {
        const Piece piece{0, int64_t(d), begin, std::min(begin + options.row_tokens, int64_t(documents[d].size()))};
        const auto fit = std::find_if(open.begin(), open.end(), [&](const PackedRow& row) {
          return used(row) + piece.size() <= options.row_tokens;
        });
        if (fit != open.end()) {
          fit->pieces.push_back(piece);
        } else {
          if (int(open.size()) == options.open_rows && piece.size() < options.row_tokens) {
            const auto fullest = std::max_element(
                open.begin(), open.end(), [&](const PackedRow& a, const PackedRow& b) { return used(a) < used(b); });
            expected.push_back(*fullest);
            open.erase(fullest);
          }
          open.push_back({{piece}, {}});
        }
        for (auto row = open.begin(); row != open.end(); ++row)
          if (used(*row) == options.row_tokens) {
            expected.push_back(*row);
            open.erase(row);
            break;
          }
      }
    expected.insert(expected.end(), open.begin(), open.end());
    ASSERT_EQ(pack(documents, options), expected);
  }
}

TEST(Packing, ConcatIsTheDocumentsCutEveryTTokens) {
  Random random{.seed = 25};
  for (int round = 0; round < 500; ++round) {
    const auto documents = random_documents(random);
    const PackingOptions options{.row_tokens = 1 + int64_t(random.below(32)), .concat = true};
    Tokens stream;
    for (const Tokens& document : documents) stream.insert(stream.end(), document.begin(), document.end());
    const auto rows = pack(documents, options);
    const TokenBlock block = make_block(rows, options, tokens_of(documents), {});
    ASSERT_EQ(block.tokens_N, stream);
    ASSERT_EQ(block.sequences(), int64_t(rows.size()));
    for (size_t i = 0; i < stream.size(); ++i) {
      ASSERT_EQ(block.targets_N[i], i + 1 < stream.size() ? stream[i + 1] : -1);
      ASSERT_EQ(block.positions_N[i], int32_t(i % size_t(options.row_tokens)));
    }
    ASSERT_LT(block.padding, options.row_tokens);
  }
}

TEST(Packing, CountsTheBytesOfTargetsExactly) {
  const std::vector<Tokens> documents = {{1, 2, 3, 0}, {2, 2, 0}};
  const PackingOptions options{.row_tokens = 3};
  const std::vector<uint16_t> lengths = {0, 10, 100, 1000};
  const auto rows = pack(documents, options);
  EXPECT_EQ(make_block(rows, options, tokens_of(documents), lengths).target_bytes, 100 + 1000 + 0 + 100 + 0);
  EXPECT_THROW(make_block(rows, options, tokens_of(documents), std::span(lengths).first(2)), Error);
}

TEST(Packing, RefusesWhatDoesNotFit) {
  EXPECT_THROW(Packer({.row_tokens = 0}), Error);
  EXPECT_THROW(Packer({.open_rows = 0}), Error);
  Packer packer({.row_tokens = 4, .open_rows = 1});
  EXPECT_THROW(packer.add({0, 0, 0, 5}), Error);
  EXPECT_THROW(packer.add({0, 0, 3, 3}), Error);
  EXPECT_THROW(packer.restore({{{{0, 0, 0, 4}}, {}}}), Error);
  EXPECT_THROW(packer.restore({{{{0, 0, 3, 2}}, {}}}), Error);
  EXPECT_THROW(packer.restore({{{{0, 0, 0, INT64_MAX}}, {}}}), Error);
  EXPECT_THROW(packer.restore({{{{0, 0, 0, 1}}, {}}, {{{0, 0, 0, 1}}, {}}}), Error);
}

}  // namespace
}  // namespace fude
