// The worker threads of a process and the one way to use them.
//
// Work is cut into chunks taken from an atomic counter: a thread that the system holds back takes fewer
// chunks, and the caller waits only for workers that really joined, so another process on the machine slows
// Fude down but never collapses it. Workers spin for a bounded time between jobs (a futex hand-over costs 45
// µs, a spinning one 0.1 µs), then sleep. Which thread runs a chunk never changes a result.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace fude {

class Threads {
 public:
  // `count` threads, the caller among them; 0: as many as the process may use (affinity, cgroup).
  explicit Threads(int count = 0);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int count() const { return int(workers_.size()) + 1; }

  // Calls body(begin, end) over [0, items) in chunks of at most `grain`. Returns when all of it is done.
  // `body` must not throw and must not call parallel_for.
  template <class Body>
  void parallel_for(int64_t items, int64_t grain, const Body& body) {
    share(items, grain, 0, body);
  }
  // The same with ranges that begin large and shrink to `least` towards the end: for work that gets cheaper
  // in long stretches and must still end together.
  template <class Body>
  void parallel_ranges(int64_t items, int64_t least, const Body& body) {
    share(items, least, 4 * count(), body);
  }

 private:
  using Call = void (*)(const void*, int64_t, int64_t);
  template <class Body>
  void share(int64_t items, int64_t grain, int64_t shares, const Body& body) {
    if (items <= 0) return;
    if (items <= grain || workers_.empty()) return body(int64_t(0), items);
    run(
        items, grain, shares,
        [](const void* context, int64_t begin, int64_t end) { (*static_cast<const Body*>(context))(begin, end); },
        &body);
  }
  void run(int64_t items, int64_t grain, int64_t shares, Call call, const void* context);
  void take_chunks();
  void work();

  // generation · 2^16 + workers inside · 2 + open. On a line of its own: who waits reads it all the time.
  alignas(64) std::atomic<uint64_t> state_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) int64_t items_ = 0, grain_ = 1, shares_ = 0;
  Call call_ = nullptr;
  const void* context_ = nullptr;
  std::vector<std::thread> workers_;
};

// Processors this process may use: its affinity mask, bounded by the cgroup's CPU quota.
int usable_processors();

}  // namespace fude
