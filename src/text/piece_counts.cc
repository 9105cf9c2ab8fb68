#include "text/piece_counts.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "base/error.h"

namespace fude {

void PieceCounts::add(std::string_view piece, uint64_t count) {
  if ((pieces_.size() + 1) * 2 > slots_.size()) rehash(std::max<size_t>(1 << 12, slots_.size() * 2));
  const uint32_t hash = uint32_t(XXH3_64bits(piece.data(), piece.size()));
  size_t slot = hash & (slots_.size() - 1);
  for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
    Piece& known = pieces_[slots_[slot] - 1];
    if (known.hash == hash && bytes(slots_[slot] - 1) == piece) {
      known.count += count;
      return;
    }
  }
  require(pieces_.size() < 0xFFFFFFF0u, "[train_bpe] more than 2^32 distinct pieces: lower the memory limit");
  pieces_.push_back({arena_.size(), count, uint32_t(piece.size()), hash});
  arena_ += piece;
  slots_[slot] = uint32_t(pieces_.size());
}

uint64_t PieceCounts::total() const {
  uint64_t sum = 0;
  for (const Piece& piece : pieces_) sum += piece.count;
  return sum;
}

void PieceCounts::rehash(size_t size) {
  slots_.assign(size, 0);
  for (size_t i = 0; i < pieces_.size(); ++i) {
    size_t slot = pieces_[i].hash & (size - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (size - 1);
    slots_[slot] = uint32_t(i + 1);
  }
}

PieceCounts::Pruned PieceCounts::prune(uint64_t target) {
  if (cost() <= target) return {};
  std::vector<size_t> order(pieces_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return pieces_[a].count < pieces_[b].count; });
  Pruned pruned;
  uint64_t left = cost();
  for (const size_t i : order) {
    if (left <= target && pieces_[i].count > pruned.below) break;
    pruned.below = pieces_[i].count;
    left -= kPieceCost + pieces_[i].length * kByteCost;
  }
  PieceCounts kept;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    if (pieces_[i].count > pruned.below) {
      kept.add(bytes(i), pieces_[i].count);
    } else {
      pruned.pieces += pieces_[i].count;
    }
  }
  *this = std::move(kept);
  return pruned;
}

void PieceCounts::clear() {
  arena_.clear();
  pieces_.clear();
  std::fill(slots_.begin(), slots_.end(), 0);
}

}  // namespace fude
