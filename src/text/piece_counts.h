// How often each distinct piece of a corpus occurs, in bounded memory.
//
// Bytes live in one arena, an open-addressing table finds them. When the estimated cost of keeping and
// merging the pieces passes the limit, the rarest are dropped, whole counts at a time, until half the limit
// is free: a function of the counts alone, so the same for any number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fude {

class PieceCounts {
 public:
  void add(std::string_view piece, uint64_t count);
  size_t distinct() const { return pieces_.size(); }
  uint64_t total() const;
  std::string_view bytes(size_t i) const {
    return std::string_view(arena_).substr(pieces_[i].begin, pieces_[i].length);
  }
  uint64_t count(size_t i) const { return pieces_[i].count; }
  // Memory that the pieces cost now and while merging.
  uint64_t cost() const { return distinct() * kPieceCost + arena_.size() * kByteCost; }
  // Drops the pieces of the lowest counts until cost() <= target.
  struct Pruned {
    uint64_t pieces = 0, below = 0;  // occurrences dropped; the highest count dropped
  };
  Pruned prune(uint64_t target);
  void clear();

 private:
  static constexpr uint64_t kPieceCost = 64, kByteCost = 24;
  struct Piece {
    uint64_t begin, count;
    uint32_t length, hash;
  };
  void rehash(size_t size);

  std::string arena_;
  std::vector<Piece> pieces_;
  std::vector<uint32_t> slots_;  // index into pieces_ plus one; 0: empty
};

}  // namespace fude
