#include "backend/threads.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <system_error>
#include <utility>

#include "backend/control_groups.h"
#include "base/error.h"

namespace fude {
namespace {

constexpr uint64_t kOpen = 1, kWorker = 2, kWorkersMask = 0xFFFE, kGeneration = 1 << 16;
constexpr int kSpins = 20000;              // some hundred microseconds
constexpr int64_t kMostAsked = 128 << 10;  // what any L2 keeps until it is read

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

int usable_processors() {
  cpu_set_t mask;
  int count =
      sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : int(std::thread::hardware_concurrency());
  for (const ControlGroup& group : control_groups("cpu")) {
    double quota = 0, period = 0;  // microseconds; "max" or -1: no quota
    if (group.is_v2)
      std::ifstream(group.folder + "/cpu.max") >> quota >> period;
    else
      std::ifstream(group.folder + "/cpu.cfs_quota_us") >> quota,
          std::ifstream(group.folder + "/cpu.cfs_period_us") >> period;
    if (quota > 0 && period > 0) count = std::min(count, std::max(1, int(quota / period)));
  }
  return std::max(1, count);
}

Threads::Threads(int count) {
  require(count >= 0 && count <= 1024, "[threads] expected 0 to 1024 threads, got {}", count);
  count = threads_of(count);
  stretches_ = std::make_unique<Stretch[]>(size_t(count));
  try {
    for (int i = 1; i < count; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error&) {}  // the system gives no more: fewer threads make the same results
}

Threads::~Threads() {
  stop_ = true;
  state_.fetch_add(kGeneration);
  state_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Threads::run(int64_t items, int64_t grain, bool shrinks, Call call, const void* context) {
  require(!is_running_.exchange(true, std::memory_order_acquire),
          "[threads] expected one job at a time, got another while one runs: on a device of its own it may");
  struct Ending {
    std::atomic<bool>& is_running;
    ~Ending() { is_running.store(false, std::memory_order_release); }
  } ending{is_running_};
  const int64_t chunks = (items + grain - 1) / grain;
  owners_ = std::min<int64_t>(count(), chunks), grain_ = grain, shrinks_ = shrinks, call_ = call, context_ = context;
  for (int64_t i = 0; i < owners_; ++i) {
    stretches_[size_t(i)].next.store(chunks * i / owners_ * grain, std::memory_order_relaxed);
    stretches_[size_t(i)].end = std::min(items, chunks * (i + 1) / owners_ * grain);
  }
  if (owners_ == 1) {
    Claims claims(*this, 0);
    return call(context, claims);
  }
  state_.fetch_add(kGeneration + kOpen);
  if (sleepers_.load() > 0) state_.notify_all();
  take_part(0);
  state_.fetch_sub(kOpen);
  for (int spins = 0; (state_.load(std::memory_order_acquire) & kWorkersMask) != 0; ++spins)
    spins < kSpins ? pause_briefly() : std::this_thread::yield();
  if (!has_failed_.load(std::memory_order_relaxed)) return;
  has_failed_ = false;
  std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Threads::take_part(int64_t owner) {
  Claims claims(*this, owner);
  try {
    call_(context_, claims);
  } catch (...) {
    if (!has_failed_.exchange(true)) failure_ = std::current_exception();
  }
}

bool Threads::Claims::next(int64_t& begin, int64_t& end) {
  for (; seen_ < threads_.owners_; ++seen_, ++owner_) {
    if (owner_ >= threads_.owners_) owner_ = 0;
    Stretch& stretch = threads_.stretches_[size_t(owner_)];
    begin = stretch.next.load(std::memory_order_relaxed);
    while (begin < stretch.end) {
      const int64_t left = stretch.end - begin, grain = threads_.grain_;
      end = begin + std::min(left, threads_.shrinks_ ? std::max(grain, left / 4) : grain);
      if (stretch.next.compare_exchange_weak(begin, end, std::memory_order_relaxed)) return true;
    }
  }
  return false;
}

void Threads::expect(const void* data, int64_t items, int64_t bytes_of_item) {
  expected_items_.store(items, std::memory_order_relaxed);
  expected_bytes_.store(bytes_of_item, std::memory_order_relaxed);
  expected_.store(static_cast<const char*>(data), std::memory_order_release);
}

bool Threads::ask(int64_t index, Asked& asked) const {
  const char* data = expected_.load(std::memory_order_acquire);
  if (data != asked.data) {
    const int64_t items = expected_items_.load(std::memory_order_relaxed), first = items * index / count();
    const int64_t bytes = expected_bytes_.load(std::memory_order_relaxed);
    const char* begin = data + first * bytes;
    asked = {data, begin, begin + std::min(kMostAsked, (items * (index + 1) / count() - first) * bytes)};
  }
  if (asked.next >= asked.end) return false;
  __builtin_prefetch(asked.next, 0, 2);
  asked.next += 64;
  return true;
}

void Threads::work(int64_t index) {
  uint64_t seen = 0;
  Asked asked;
  for (;;) {
    uint64_t state = state_.load(std::memory_order_acquire);
    for (int spins = 0; state / kGeneration == seen && !stop_; ++spins) {
      if (spins < kSpins) {
        if (!ask(index, asked)) pause_briefly();
      } else {
        ++sleepers_;
        // The state is read again after the sleeper is counted: run() either sees the sleeper or is seen by it.
        const uint64_t current = state_.load();
        if (current / kGeneration == seen) state_.wait(current);
        --sleepers_;
      }
      state = state_.load(std::memory_order_acquire);
    }
    if (stop_) return;
    while ((state & kOpen) != 0 && !state_.compare_exchange_weak(state, state + kWorker)) {}
    seen = state / kGeneration;
    if ((state & kOpen) == 0) continue;
    take_part(index);
    state_.fetch_sub(kWorker, std::memory_order_release);
  }
}

}  // namespace fude
