#include "backend/threads.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "base/error.h"

namespace fude {
namespace {

constexpr uint64_t kOpen = 1, kWorker = 2, kWorkersMask = 0xFFFE, kGeneration = 1 << 16;
constexpr int kSpins = 20000;  // some hundred microseconds

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
  std::ifstream quota_file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (quota_file >> quota >> period && quota != "max" && period > 0)
    count = std::min(count, std::max(1, int(std::stod(quota) / period)));
  return std::max(1, count);
}

Threads::Threads(int count) {
  require(count >= 0 && count <= 1024, "[threads] expected 0 to 1024 threads, got {}", count);
  if (count == 0) count = usable_processors();
  for (int i = 1; i < count; ++i) workers_.emplace_back([this] { work(); });
}

Threads::~Threads() {
  stop_ = true;
  state_.fetch_add(kGeneration);
  state_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Threads::run(int64_t items, int64_t grain, int64_t shares, Call call, const void* context) {
  items_ = items, grain_ = grain, shares_ = shares, call_ = call, context_ = context;
  next_.store(0, std::memory_order_relaxed);
  state_.fetch_add(kGeneration + kOpen);
  if (sleepers_.load() > 0) state_.notify_all();
  take_chunks();
  state_.fetch_sub(kOpen);
  for (int spins = 0; (state_.load(std::memory_order_acquire) & kWorkersMask) != 0; ++spins)
    spins < kSpins ? pause_briefly() : std::this_thread::yield();
}

void Threads::take_chunks() {
  const int64_t items = items_, grain = grain_, shares = shares_;
  for (int64_t begin = next_.load(std::memory_order_relaxed);;) {
    int64_t size;
    do {
      if (begin >= items) return;
      size = shares == 0 ? grain : std::max(grain, (items - begin) / shares);
    } while (!next_.compare_exchange_weak(begin, begin + size, std::memory_order_relaxed));
    call_(context_, begin, std::min(items, begin + size));
    begin = next_.load(std::memory_order_relaxed);
  }
}

void Threads::work() {
  uint64_t seen = 0;
  for (;;) {
    uint64_t state = state_.load(std::memory_order_acquire);
    for (int spins = 0; state / kGeneration == seen && !stop_; ++spins) {
      if (spins < kSpins) {
        pause_briefly();
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
    take_chunks();
    state_.fetch_sub(kWorker, std::memory_order_release);
  }
}

}  // namespace fude
