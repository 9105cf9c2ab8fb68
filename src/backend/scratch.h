// Working memory of a kernel: one buffer per thread and purpose, kept for the thread's life and grown on
// demand, so that hot code neither allocates nor passes buffers around.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "backend/sanitizer.h"

namespace fude {

enum class ScratchUse { rows, lanes, results };
inline constexpr size_t kScratchUses = 3;

// Floats by use, as a kernel asks for them and as they are kept.
struct ScratchSizes {
  // Floats by which buffers grow; large ones in huge pages, since small pages lie anywhere, and rows packed into them
  // then meet in the same sets of L2 in one process and not in another.
  static constexpr int64_t kPage = 4096, kHugePage = 1 << 19;
  std::array<int64_t, kScratchUses> counts{};

  void ask(ScratchUse use, int64_t count) {
    int64_t& kept = counts[size_t(use)];
    const int64_t unit = count < kHugePage / 8 ? kPage : kHugePage;
    kept = std::max(kept, (count + unit - 1) / unit * unit);
  }
  void ask(const ScratchSizes& other) {
    for (size_t use = 0; use < kScratchUses; ++use) counts[use] = std::max(counts[use], other.counts[use]);
  }
  int64_t bytes() const {
    int64_t total = 0;
    for (const int64_t count : counts) total += count * int64_t(sizeof(float));
    return total;
  }
};

class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    for (size_t use = 0; use < kScratchUses; ++use) release(ScratchUse(use));
  }

  float* get(ScratchUse use, int64_t count) {
    float*& data = data_[size_t(use)];
    int64_t& kept = sizes_.counts[size_t(use)];
    if (kept < count) {
      release(use);
      kept = 0;
      sizes_.ask(use, count);
      const size_t bytes = size_t(kept) * sizeof(float);
      const int64_t page = kept % ScratchSizes::kHugePage == 0 ? ScratchSizes::kHugePage : ScratchSizes::kPage;
      data = static_cast<float*>(std::aligned_alloc(size_t(page) * sizeof(float), bytes));
      if (data == nullptr) kept = 0, throw std::bad_alloc();
      if (page == ScratchSizes::kHugePage) ::madvise(data, bytes, MADV_HUGEPAGE);
    }
    open_memory(data, kept * int64_t(sizeof(float)));
    close_memory(data + count, (kept - count) * int64_t(sizeof(float)));
    return data;
  }
  const ScratchSizes& sizes() const { return sizes_; }

 private:
  void release(ScratchUse use) {
    open_memory(data_[size_t(use)], sizes_.counts[size_t(use)] * int64_t(sizeof(float)));
    std::free(std::exchange(data_[size_t(use)], nullptr));
  }

  std::array<float*, kScratchUses> data_{};
  ScratchSizes sizes_;
};

inline Scratch& scratch_of_thread() {
  static thread_local Scratch buffers;
  return buffers;
}

// At least `count` floats, aligned to 64 bytes, contents undefined; valid until the thread asks again for the
// same use.
inline float* scratch(ScratchUse use, int64_t count) { return scratch_of_thread().get(use, count); }

}  // namespace fude
