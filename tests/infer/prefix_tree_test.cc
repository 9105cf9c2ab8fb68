#include "infer/prefix_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "base/random.h"

namespace fude {
namespace {

class PrefixTreeTest : public testing::Test {
 protected:
  static ModelConfig one_layer() {
    ModelConfig c;
    c.layers = 1, c.kv_heads = 1, c.head_size = 1;
    return c;
  }
  // Pages for these tokens, put in and then let go, so that the tree alone holds them.
  std::vector<Page> insert(const std::vector<int32_t>& tokens, PrefixKey key = {}) {
    std::vector<Page> pages;
    for (int64_t page = 0; page < pages_for(int64_t(tokens.size())); ++page) pages.push_back(pool.take());
    tree.insert(key, tokens, pages);
    for (Page page : pages) pool.release(page);
    return pages;
  }
  static std::vector<int32_t> count_from(int32_t first, size_t size) {
    std::vector<int32_t> tokens(size);
    std::iota(tokens.begin(), tokens.end(), first);
    return tokens;
  }
  static std::vector<int32_t> joined(std::vector<int32_t> a, const std::vector<int32_t>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  }

  Device device{1};
  PagePool pool{device, one_layer(), 40};
  PrefixTree tree{pool};
};

TEST_F(PrefixTreeTest, FindsTheLongestBeginning) {
  const std::vector<int32_t> tokens = count_from(0, 80);
  const std::vector<Page> pages = insert(tokens);
  EXPECT_EQ(tree.pages(), 3);
  EXPECT_EQ(pool.free_pages(), 37);
  const auto expect = [&](const std::vector<int32_t>& wanted, size_t whole, int64_t rows) {
    const PrefixTree::Match match = tree.find({}, wanted);
    EXPECT_EQ(match.pages, std::vector<Page>(pages.begin(), pages.begin() + int64_t(whole)));
    EXPECT_EQ(match.rows, rows);
    EXPECT_EQ(match.partial, rows == 0 ? -1 : pages[whole]);
    EXPECT_EQ(match.tokens(), int64_t(whole) * kKeyPage + rows);
  };
  expect(tokens, 2, 16);
  expect(count_from(0, 100), 2, 16);
  expect(count_from(0, 64), 2, 0);
  expect(count_from(0, 63), 1, 31);  // part of a whole page
  expect(joined(count_from(0, 40), count_from(500, 60)), 1, 8);
  expect(count_from(1, 40), 0, 0);
  expect({}, 0, 0);
  EXPECT_EQ(tree.find({.adapter = 1}, tokens).tokens(), 0);
  EXPECT_EQ(tree.find({.version = 1}, tokens).tokens(), 0);
}

// What is not full grows; what is known stays.
TEST_F(PrefixTreeTest, KeepsOnePageForTheSameTokens) {
  insert(count_from(0, 40));
  const std::vector<Page> longer = insert(count_from(0, 50));
  EXPECT_EQ(tree.pages(), 2);
  EXPECT_EQ(tree.find({}, count_from(0, 60)).partial, longer[1]);
  insert(count_from(0, 45));
  EXPECT_EQ(tree.find({}, count_from(0, 60)).partial, longer[1]);
  const std::vector<Page> full = insert(count_from(0, 70));
  EXPECT_EQ(tree.find({}, count_from(0, 64)).pages[1], full[1]);
  EXPECT_EQ(tree.pages(), 3);
  insert(count_from(0, 50));
  EXPECT_EQ(tree.pages(), 3);
  EXPECT_EQ(pool.free_pages(), 37);
}

// Who computed a page that is known already goes on with the known one, so that nothing hangs on a page nobody holds.
TEST_F(PrefixTreeTest, GivesItsPageForAnother) {
  const std::vector<Page> known = insert(count_from(0, 32));
  std::vector<Page> pages = {pool.take(), pool.take(), pool.take()};
  const Page own = pages[1], last = pages[2];
  tree.insert({}, count_from(0, 70), pages);
  EXPECT_EQ(pages, (std::vector<Page>{known[0], own, last}));
  EXPECT_EQ(pool.references(known[0]), 2);
  EXPECT_EQ(pool.free_pages(), 37);
  EXPECT_FALSE(tree.evict());
}

TEST_F(PrefixTreeTest, GivesUpTheLeafLongestUnused) {
  const auto a = joined(count_from(0, 32), count_from(100, 32)), b = joined(count_from(0, 32), count_from(200, 32));
  insert(a), insert(b), insert(count_from(300, 32));
  tree.find({}, a);
  const auto tokens_of = [&](const auto& tokens) { return tree.find({}, tokens).tokens(); };
  EXPECT_TRUE(tree.evict());  // b, but not what it begins with
  EXPECT_EQ(tree.pages(), 3);
  EXPECT_TRUE(tree.evict());
  EXPECT_EQ(tokens_of(count_from(300, 32)), 0);
  EXPECT_EQ(tokens_of(b), 32);
  // A page that somebody else holds stays.
  const Page held = tree.find({}, a).pages[1];
  pool.share(held);
  EXPECT_FALSE(tree.evict());
  pool.release(held);
  EXPECT_TRUE(tree.evict());
  EXPECT_TRUE(tree.evict());
  EXPECT_FALSE(tree.evict());
  EXPECT_EQ(pool.free_pages(), pool.pages());
}

// Against a plain list of everything that was put in, on tokens that often begin alike.
TEST_F(PrefixTreeTest, AgreesWithAList) {
  Random random{5};
  std::vector<std::vector<int32_t>> known, ever;  // surely in the tree; put in at any time
  const auto draw = [&] {
    std::vector<int32_t> tokens(random.below(100));
    for (int32_t& token : tokens) token = random.below(40) == 0;
    return tokens;
  };
  const auto longest = [](const std::vector<std::vector<int32_t>>& all, const std::vector<int32_t>& wanted) {
    int64_t most = 0;
    for (const auto& other : all)
      most = std::max<int64_t>(
          most, std::mismatch(other.begin(), other.end(), wanted.begin(), wanted.end()).first - other.begin());
    return most;
  };
  for (int round = 0; round < 300; ++round) {
    const std::vector<int32_t> tokens = draw(), wanted = draw();
    while (pool.free_pages() < 4) {
      ASSERT_TRUE(tree.evict());
      known.clear();
    }
    insert(tokens);
    known.push_back(tokens), ever.push_back(tokens);
    const int64_t found = tree.find({}, wanted).tokens();
    EXPECT_GE(found, longest(known, wanted));
    EXPECT_LE(found, longest(ever, wanted));
    EXPECT_EQ(tree.find({}, tokens).tokens(), int64_t(tokens.size()));
    EXPECT_EQ(pool.pages() - pool.free_pages(), tree.pages());
  }
  tree.clear();
  EXPECT_EQ(pool.free_pages(), pool.pages());
}

}  // namespace
}  // namespace fude
