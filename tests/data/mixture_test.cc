#include "data/mixture.h"

#include <set>

#include "data/permutation.h"
#include "tests/data/corpus.h"

namespace fude {
namespace {

TEST(Permutation, HitsEveryElementOnce) {
  for (uint64_t n = 1; n <= 300; ++n) {
    const Permutation order(n, 42, n);
    std::vector<bool> seen(n, false);
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t element = order(i);
      ASSERT_LT(element, n);
      ASSERT_FALSE(seen[element]);
      seen[element] = true;
    }
  }
  const Permutation large(uint64_t(1) << 62, 1, 2);
  EXPECT_NE(large(0), large(1));
}

TEST(Permutation, DependsOnSeedAndStreamAndLooksUniform) {
  // Each element of each of six positions, over 6000 permutations: 1000 times, with a standard deviation of 29.
  int counts[6][6] = {};
  std::set<std::vector<uint64_t>> orders;
  for (uint64_t stream = 0; stream < 6000; ++stream) {
    const Permutation order(6, 7, stream);
    std::vector<uint64_t> all;
    for (uint64_t i = 0; i < 6; ++i) all.push_back(order(i)), ++counts[i][all.back()];
    orders.insert(all);
  }
  for (const auto& position : counts)
    for (const int count : position) EXPECT_NEAR(count, 1000, 150);
  EXPECT_GT(orders.size(), 600u);  // of 720
  const Permutation a(1000, 1, 0), b(1000, 2, 0);
  int same = 0;
  for (uint64_t i = 0; i < 1000; ++i) same += a(i) == b(i);
  EXPECT_LT(same, 10);
}

std::vector<std::string> random_texts(uint64_t seed, int count, uint64_t longest) {
  Random random{.seed = seed};
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back(random_text(random, longest));
  return texts;
}

TEST(Mixture, EachEpochIsAPermutationAndSharesFollowTheWeights) {
  const TemporaryFolder folder;
  const auto a = make_set(folder / "a", random_texts(1, 50, 40)), b = make_set(folder / "b", random_texts(2, 7, 200)),
             c = make_set(folder / "c", random_texts(3, 1, 10));
  Mixture mixture({{a, 0.5}, {b, 0.3}, {c, 0.2}}, 99);
  std::map<std::pair<int, int64_t>, std::multiset<int64_t>> seen;
  int64_t total = 0;
  for (int i = 0; i < 20000; ++i) {
    const DocumentRef ref = mixture.next();
    seen[{ref.source, ref.epoch}].insert(ref.document);
    total += mixture.set(ref.source).document(ref.document).size() + 1;
    if (i > 100) {
      for (int s = 0; s < 3; ++s) {
        const double share = double(mixture.position()[size_t(s)].tokens) / double(total);
        ASSERT_NEAR(share, (std::vector{0.5, 0.3, 0.2})[size_t(s)], 250.0 / double(total) + 1e-8);
      }
    }
  }
  for (const auto& [key, documents] : seen) {
    EXPECT_EQ(documents.size(), std::set(documents.begin(), documents.end()).size());
    const auto& at = mixture.position()[size_t(key.first)];
    if (key.second < at.documents / mixture.set(key.first).documents()) {
      EXPECT_EQ(int64_t(documents.size()), mixture.set(key.first).documents());
    }
  }
}

TEST(Mixture, SeekContinuesAndSeedsDiffer) {
  const TemporaryFolder folder;
  const auto a = make_set(folder / "a", random_texts(1, 30, 40)), b = make_set(folder / "b", random_texts(2, 20, 40));
  Mixture mixture({{a, 1}, {b, 2}}, 5);
  for (int i = 0; i < 77; ++i) mixture.next();
  Mixture other({{a, 1}, {b, 2}}, 5), different({{a, 1}, {b, 2}}, 6);
  other.seek(mixture.position());
  different.seek(mixture.position());
  int same = 0;
  for (int i = 0; i < 100; ++i) {
    const DocumentRef x = mixture.next(), y = other.next(), z = different.next();
    EXPECT_TRUE(x.source == y.source && x.document == y.document && x.epoch == y.epoch);
    same += x.source == z.source && x.document == z.document;
  }
  EXPECT_LT(same, 30);
  EXPECT_THROW(mixture.seek({{1, 1}}), Error);
  EXPECT_THROW(mixture.seek({{-1, 0}, {0, 0}}), Error);
}

TEST(Mixture, RefusesBadWeights) {
  const TemporaryFolder folder;
  const auto a = make_set(folder / "a", {"text"});
  EXPECT_THROW(Mixture({}, 1), Error);
  EXPECT_THROW(Mixture({{a, 0}}, 1), Error);
  EXPECT_THROW(Mixture({{a, -1}}, 1), Error);
  EXPECT_THROW(Mixture({{a, 1}, {a, std::numeric_limits<double>::infinity()}}, 1), Error);
}

}  // namespace
}  // namespace fude
