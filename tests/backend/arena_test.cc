#include "backend/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace fude {
namespace {

struct Block {
  unsigned char* data;
  int64_t bytes;
  unsigned char mark;
};

TEST(Arena, BlocksAreApartAlignedAndKeepTheirBytes) {
  Arena arena(64 << 20, false);
  std::mt19937 random(1);
  std::vector<Block> blocks;
  int64_t used = 0;
  for (int i = 0; i < 3000; ++i) {
    if (!blocks.empty() && (random() % 2 || used > 24 << 20)) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      const Block block = blocks.back();
      blocks.pop_back();
      ASSERT_TRUE(std::all_of(block.data, block.data + block.bytes, [&](unsigned char c) { return c == block.mark; }));
      arena.give_back(block.data, block.bytes);
      used -= block.bytes;
    } else {
      const int64_t bytes = 1 + int64_t(random() % (random() % 8 ? 5000 : 2 << 20));
      auto* data = static_cast<unsigned char*>(arena.take(bytes).data);
      ASSERT_NE(data, nullptr);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
      blocks.push_back({data, bytes, static_cast<unsigned char>(i)});
      std::memset(data, blocks.back().mark, size_t(bytes));
      used += bytes;
    }
  }
  for (const Block& block : blocks) arena.give_back(block.data, block.bytes);
  // All free parts have joined again: the whole is one block.
  const int64_t held = arena.held();
  EXPECT_NE(arena.take(held - 64).data, nullptr);
  EXPECT_EQ(arena.held(), held);
}

TEST(Arena, ALargeBlockTakesTheRoomOfFreedSmallOnes) {
  Arena arena(64 << 20, true);
  std::vector<void*> small;
  for (int i = 0; i < 8; ++i) small.push_back(arena.take(1 << 20).data);
  const int64_t held = arena.held();
  for (int i : {5, 2, 4, 3}) arena.give_back(small[size_t(i)], 1 << 20);
  EXPECT_EQ(arena.take(4 << 20).data, small[2]);
  EXPECT_EQ(arena.held(), held);
  // What is free at the end counts towards a block that needs more.
  arena.give_back(small[7], 1 << 20);
  EXPECT_EQ(arena.take(3 << 20).data, small[7]);
  EXPECT_EQ(arena.held(), held + (2 << 20));
}

TEST(Arena, TheSmallestSufficientPartIsTaken) {
  Arena arena(64 << 20, true);
  void* large = arena.take(3 << 20).data;
  arena.take(64);
  void* fitting = arena.take(1 << 20).data;
  arena.take(64);
  arena.give_back(large, 3 << 20);
  arena.give_back(fitting, 1 << 20);
  EXPECT_EQ(arena.take(1 << 20).data, fitting);
}

TEST(Arena, CountingPutsBlocksWhereMemoryWould) {
  Arena real(64 << 20, false), counted(64 << 20, true);
  std::mt19937 random(2);
  std::vector<std::pair<void*, void*>> blocks;
  std::vector<int64_t> sizes;
  for (int i = 0; i < 500; ++i) {
    if (!blocks.empty() && random() % 2) {
      real.give_back(blocks.back().first, sizes.back());
      counted.give_back(blocks.back().second, sizes.back());
      blocks.pop_back(), sizes.pop_back();
    } else {
      sizes.push_back(1 + int64_t(random() % 200000));
      blocks.push_back({real.take(sizes.back()).data, counted.take(sizes.back()).data});
    }
    ASSERT_EQ(real.held(), counted.held());
  }
}

TEST(Arena, OnlyMemoryThatWasNeverUsedIsFresh) {
  Arena arena(64 << 20, false);
  const auto is_zero = [](const Arena::Block& block, int64_t bytes) {
    const auto* data = static_cast<unsigned char*>(block.data);
    return std::all_of(data, data + bytes, [](unsigned char c) { return c == 0; });
  };
  const Arena::Block first = arena.take(1 << 20), second = arena.take(1 << 20);
  EXPECT_TRUE(first.is_fresh && second.is_fresh && is_zero(first, 1 << 20) && is_zero(second, 1 << 20));
  std::memset(first.data, 1, 1 << 20);
  std::memset(second.data, 1, 1 << 20);
  arena.give_back(first.data, 1 << 20);
  EXPECT_FALSE(arena.take(1 << 20).is_fresh);
  arena.give_back(second.data, 1 << 20);
  EXPECT_FALSE(arena.take(2 << 20).is_fresh);  // its first half was used
  const Arena::Block last = arena.take(1 << 20);
  EXPECT_TRUE(last.is_fresh && is_zero(last, 1 << 20));
}

TEST(Arena, NoRoomIsNull) {
  Arena arena(8 << 20, false);
  void* block = arena.take(6 << 20).data;
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(arena.take(6 << 20).data, nullptr);
  arena.give_back(block, 6 << 20);
  EXPECT_NE(arena.take(6 << 20).data, nullptr);
}

}  // namespace
}  // namespace fude
