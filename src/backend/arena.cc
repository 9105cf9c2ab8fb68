#include "backend/arena.h"

#include <sys/mman.h>

#include <algorithm>

#include "backend/sanitizer.h"

namespace fude {
namespace {

constexpr int64_t kAlignment = 64, kHugePage = 2 << 20;
constexpr int64_t kMost = int64_t(1) << 44;
// Addresses become usable this much at a time.
constexpr int64_t kGrowth = 16 * kHugePage;

int64_t rounded(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

// AddressSanitizer sees free memory, and a gap behind every block, as out of bounds.
constexpr int64_t kGap = kHasAddressSanitizer ? kAlignment : 0;

int64_t size_of_block(int64_t bytes) { return rounded(bytes + kGap, kAlignment); }

}  // namespace

Arena::Arena(int64_t bytes, bool only_counts) : only_counts_(only_counts) {
  if (only_counts) {
    base_ = reinterpret_cast<char*>(kAlignment);  // NOLINT(performance-no-int-to-ptr): nobody follows it
    reserved_ = usable_ = int64_t(1) << 62;
    return;
  }
  for (bytes = std::min(bytes, kMost); bytes >= kHugePage; bytes /= 2) {
    bytes = bytes / kHugePage * kHugePage;
    void* found = ::mmap(nullptr, size_t(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) continue;
    base_ = static_cast<char*>(found), reserved_ = bytes;
    ::madvise(base_, size_t(reserved_), MADV_HUGEPAGE);
    return;
  }
}

Arena::~Arena() {
  if (only_counts_ || base_ == nullptr) return;
  open_memory(base_, usable_);
  ::munmap(base_, size_t(reserved_));
}

int64_t Arena::held() const { return rounded(top_, kHugePage); }

bool Arena::grow_to(int64_t end) {
  if (end <= usable_) return true;
  const int64_t wanted = std::min(reserved_, rounded(end, kGrowth));
  if (end > wanted || ::mprotect(base_ + usable_, size_t(wanted - usable_), PROT_READ | PROT_WRITE) != 0) return false;
  close_memory(base_ + usable_, wanted - usable_);
  usable_ = wanted;
  return true;
}

Arena::Block Arena::take(int64_t bytes) {
  const int64_t size = size_of_block(bytes);
  auto best = free_.end();
  for (auto at = free_.begin(); at != free_.end(); ++at)
    if (at->second >= size && (best == free_.end() || at->second < best->second)) best = at;
  int64_t offset;
  bool is_fresh = false;
  if (best != free_.end()) {
    offset = best->first;
    const int64_t rest = best->second - size;
    if (rest > 0) {
      *best = {offset + size, rest};
    } else {
      free_.erase(best);
    }
  } else {
    // At the end, over what is free there.
    const auto last = free_.empty() ? free_.end() : std::prev(free_.end());
    const bool joins = last != free_.end() && last->first + last->second == top_;
    offset = joins ? last->first : top_;
    if (!grow_to(offset + size)) return {};
    is_fresh = !joins;
    if (joins) free_.erase(last);
    top_ = offset + size;
  }
  if (!only_counts_) open_memory(base_ + offset, bytes);
  return {base_ + offset, is_fresh};
}

void Arena::give_back(void* block, int64_t bytes) {
  int64_t offset = static_cast<char*>(block) - base_, size = size_of_block(bytes);
  if (!only_counts_) close_memory(block, size);
  auto next = std::ranges::lower_bound(free_, offset, {}, [](const auto& stretch) { return stretch.first; });
  if (next != free_.end() && next->first == offset + size) size += next->second, next = free_.erase(next);
  if (next != free_.begin() && std::prev(next)->first + std::prev(next)->second == offset) {
    std::prev(next)->second += size;
  } else {
    free_.insert(next, {offset, size});
  }
}

}  // namespace fude
