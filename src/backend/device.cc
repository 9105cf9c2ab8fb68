#include "backend/device.h"

#include <cstring>

#include "backend/memory.h"
#include "base/error.h"

namespace fude {
namespace {

OutOfMemory out_of_memory(int64_t bytes, std::string_view what, int64_t in_use) {
  return OutOfMemory(
      fmt::format("[device] not enough memory: {} MiB more are needed for {}, {} MiB are in use; use a smaller model, "
                  "batch or context",
                  bytes >> 20, what, in_use >> 20));
}

OutOfMemory out_of_addresses(int64_t bytes, std::string_view what, int64_t granted) {
  return OutOfMemory(
      fmt::format("[device] not enough addresses: {} MiB more are needed for {}, {} MiB were granted to it "
                  "(ulimit -v); raise that limit",
                  bytes >> 20, what, granted >> 20));
}

}  // namespace

std::string_view name_of(Purpose purpose) {
  static constexpr std::string_view names[kPurposes] = {"weights", "optimizer", "gradients", "activations", "cache"};
  return names[int(purpose)];
}

Device::Device(int thread_count, bool only_counts)
    : only_counts_(only_counts),
      room_(usable_memory()),
      threads_(std::make_unique<Threads>(only_counts ? 1 : thread_count)),
      lasting_(room_, only_counts),
      passing_(room_, only_counts) {}

Device::~Device() = default;

void Device::require_room(int64_t bytes, std::string_view what) const {
  if (only_counts_ || bytes <= room_ - usage_.total) return;
  throw out_of_memory(bytes, what, usage_.total);
}

void* Device::allocate(int64_t bytes, Purpose purpose, Contents contents) {
  require(bytes >= 0 && bytes < (int64_t(1) << 46), "[device] cannot allocate {} bytes", bytes);
  if (bytes == 0) return nullptr;
  require_room(bytes, name_of(purpose));
  Arena& arena = arena_of(purpose);
  const auto [block, is_fresh] = arena.take(bytes);
  if (block == nullptr) {
    // An arena asks for as many addresses as there is room for bytes, and halves that until it gets them.
    if (arena.reserved() <= room_ / 2 && arena.held() + bytes > arena.reserved())
      throw out_of_addresses(bytes, name_of(purpose), arena.reserved());
    throw out_of_memory(bytes, name_of(purpose), usage_.total);
  }
  usage_.now[int(purpose)] += bytes;
  usage_.total += bytes;
  usage_.held = lasting_.held() + passing_.held();
  if (usage_.total > usage_.peak) usage_.peak = usage_.total, usage_.at_peak = usage_.now;
  if (contents == Contents::zero && !is_fresh && !only_counts_) std::memset(block, 0, size_t(bytes));
  return block;
}

void Device::release(void* block, int64_t bytes, Purpose purpose) {
  if (block == nullptr) return;
  usage_.now[int(purpose)] -= bytes;
  usage_.total -= bytes;
  arena_of(purpose).give_back(block, bytes);
}

}  // namespace fude
