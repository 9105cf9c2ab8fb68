// The memory of a device: one stretch of addresses, from which blocks are cut best-fit and in which free neighbours
// join. A training step asks for few sizes in an order that changes little, so what it holds stays within a few percent
// of what it uses; keeping freed blocks by size instead held half as much again. Pages are taken as the arena grows and
// stay until it ends, because fresh ones cost a page fault each.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace fude {

class Arena {
 public:
  // Reserves addresses for up to `bytes`, fewer if the system grants no more. An arena that only counts reserves none:
  // its blocks are addresses that nobody may touch, in the same places.
  Arena(int64_t bytes, bool only_counts);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  struct Block {
    void* data = nullptr;   // null if there is no room
    bool is_fresh = false;  // never used before: it reads as zeros
  };
  // A block of `bytes` > 0, aligned to 64; contents undefined unless it is fresh.
  Block take(int64_t bytes);
  // Gives back a block of so many bytes.
  void give_back(void* block, int64_t bytes);

  // Bytes taken from the system: the largest end of a block so far, in whole huge pages.
  int64_t held() const;
  // Bytes of addresses that the system granted.
  int64_t reserved() const { return reserved_; }

 private:
  bool grow_to(int64_t end);

  char* base_ = nullptr;
  bool only_counts_;
  int64_t reserved_ = 0, usable_ = 0, top_ = 0;
  std::vector<std::pair<int64_t, int64_t>> free_;  // offset and bytes, by offset: few, as neighbours join
};

}  // namespace fude
