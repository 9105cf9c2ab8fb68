#include "backend/device.h"

#include <sys/mman.h>

#include <cstdlib>

#include "backend/memory.h"
#include "base/error.h"

namespace fude {
namespace {

constexpr int64_t kHugePage = 2 << 20;

int64_t rounded(int64_t bytes) {
  const int64_t unit = bytes >= kHugePage ? kHugePage / 16 : 64;
  return (bytes + unit - 1) / unit * unit;
}

OutOfMemory out_of_memory(int64_t bytes, std::string_view what, int64_t in_use) {
  return OutOfMemory(
      fmt::format("[device] not enough memory: {} MiB more are needed for {}, {} MiB are in use; use a smaller model, "
                  "batch or context",
                  bytes >> 20, what, in_use >> 20));
}

}  // namespace

std::string_view name_of(Purpose purpose) {
  static constexpr std::string_view names[kPurposes] = {"weights", "gradients", "optimizer", "activations", "cache"};
  return names[int(purpose)];
}

Device::Device(int thread_count, bool only_counts)
    : only_counts_(only_counts),
      room_(usable_memory()),
      threads_(std::make_unique<Threads>(only_counts ? 1 : thread_count)) {}

Device::~Device() {
  for (auto& [bytes, blocks] : kept_)
    for (void* block : blocks) std::free(block);
}

void Device::require_room(int64_t bytes, std::string_view what) const {
  if (only_counts_ || bytes <= room_ - usage_.total) return;
  throw out_of_memory(bytes, what, usage_.total);
}

void* Device::allocate(int64_t bytes, Purpose purpose) {
  require(bytes >= 0 && bytes < (int64_t(1) << 46), "[device] cannot allocate {} bytes", bytes);
  bytes = rounded(bytes);
  require_room(bytes, name_of(purpose));
  usage_.now[int(purpose)] += bytes;
  usage_.total += bytes;
  if (usage_.total > usage_.peak) usage_.peak = usage_.total, usage_.at_peak = usage_.now;
  if (only_counts_ || bytes == 0) return nullptr;
  auto& kept = kept_[bytes];
  if (!kept.empty()) {
    void* block = kept.back();
    kept.pop_back();
    return block;
  }
  void* block = std::aligned_alloc(bytes >= kHugePage ? kHugePage : 64,
                                   bytes >= kHugePage ? (bytes + kHugePage - 1) / kHugePage * kHugePage : bytes);
  if (block == nullptr) {
    usage_.now[int(purpose)] -= bytes, usage_.total -= bytes;
    throw out_of_memory(bytes, name_of(purpose), usage_.total);
  }
  if (bytes >= kHugePage) ::madvise(block, size_t(bytes), MADV_HUGEPAGE);
  return block;
}

void Device::release(void* block, int64_t bytes, Purpose purpose) {
  bytes = rounded(bytes);
  usage_.now[int(purpose)] -= bytes;
  usage_.total -= bytes;
  if (block != nullptr) kept_[bytes].push_back(block);
}

}  // namespace fude
