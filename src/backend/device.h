// Where tensors live and who works on them: memory with its accounts, and the threads. One caller at a time.
//
// A Device that only counts hands out no memory; running the same code on it (with kernels that do nothing) yields the
// memory plan before the first real allocation.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "backend/arena.h"
#include "backend/threads.h"

namespace fude {

enum class Contents { undefined, zero };

// What memory is for, in the memory plan.
enum class Purpose { weights, optimizer, gradients, activations, cache };
inline constexpr int kPurposes = 5;
std::string_view name_of(Purpose purpose);

class Device {
 public:
  // Bytes. `held`: taken from the system so far, which is `peak` and what lies between blocks.
  struct Usage {
    std::array<int64_t, kPurposes> now{}, at_peak{};
    int64_t total = 0, peak = 0, held = 0;
  };

  explicit Device(int thread_count = 0, bool only_counts = false);
  virtual ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // A block of at least `bytes`, aligned to 64. Zeros cost nothing in memory that was never used. An address that must
  // not be touched if this device only counts, null if bytes = 0. OutOfMemory with a hint if the system has not enough.
  // Virtual so that tests can put guard zones around blocks.
  virtual void* allocate(int64_t bytes, Purpose purpose, Contents contents);
  virtual void release(void* block, int64_t bytes, Purpose purpose);

  // OutOfMemory unless the system had room for so much more when this device was made: better said now than found out
  // by being killed.
  void require_room(int64_t bytes, std::string_view what) const;

  const Usage& usage() const { return usage_; }
  bool only_counts() const { return only_counts_; }
  Threads& threads() { return *threads_; }

 private:
  Arena& arena_of(Purpose purpose) { return purpose < Purpose::gradients ? lasting_ : passing_; }

  bool only_counts_;
  int64_t room_;
  std::unique_ptr<Threads> threads_;
  // What ends with a step lies apart from what stays. Beside each other, a step shorter than the one before (more
  // padding) left holes that the next could not use, and the arena grew past its plan.
  Arena lasting_, passing_;
  Usage usage_;
};

}  // namespace fude
