// The worker threads of a process and the one way to use them.
//
// Work is a row of items, of which every thread owns a stretch, the same one in every job over as many items: what it
// wrote in one operation lies in its own caches when the next reads it. (Where the threads sit on chips with caches of
// their own, a line of another's costs as much as memory.) Who is done helps the others, so that a thread that the
// system holds back does less, and the caller waits only for workers that really joined: another process on the
// machine slows Fude down but never collapses it. Workers spin for a bounded time between jobs (a futex hand-over costs
// 45 µs, a spinning one 0.1 µs), then sleep. Which thread does what never changes a result.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
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

  // Calls body(begin, end) over [0, items) in chunks of at most `grain`; a single thread gets all at once. Returns when
  // all of it is done.
  // One job at a time: `body` must not call parallel_for, nor another thread while it runs (Error if found out). What
  // it throws is thrown again when all threads have left; then some items may not be done.
  template <class Body>
  void parallel_for(int64_t items, int64_t grain, const Body& body) {
    if (items <= 0) return;
    if (items <= grain || workers_.empty()) return body(int64_t(0), items);
    share(items, grain, false, [&](Claims& claims) {
      for (int64_t begin, end; claims.next(begin, end);) body(begin, end);
    });
  }

  // What a thread takes of the work of one job, range by range.
  class Claims {
   public:
    // The next range; false if nothing is left.
    bool next(int64_t& begin, int64_t& end);

   private:
    friend class Threads;
    Claims(Threads& threads, int64_t owner) : threads_(threads), owner_(owner) {}
    Threads& threads_;
    int64_t owner_;  // of the stretch from which it takes
    int64_t seen_ = 0;
  };
  // Calls body(claims) on every thread that joins, for work in which a thread keeps something from one range to the
  // next. Ranges begin large and shrink to `least`: they get cheaper in long stretches and still end together.
  template <class Body>
  void parallel_claims(int64_t items, int64_t least, const Body& body) {
    if (items > 0) share(items, least, true, body);
  }
  // The same for work that keeps nothing.
  template <class Body>
  void parallel_ranges(int64_t items, int64_t least, const Body& body) {
    parallel_claims(items, least, [&](Claims& claims) {
      for (int64_t begin, end; claims.next(begin, end);) body(begin, end);
    });
  }

  // What the next job reads: a stretch of memory for each of its items, one behind the other. Workers that wait for it
  // ask for the beginnings of their shares, since memory is idle while the caller works alone. Only a hint: nothing is
  // read, and the memory may be gone by then.
  void expect(const void* data, int64_t items, int64_t bytes_of_item);

 private:
  using Call = void (*)(const void*, Claims&);
  // How far a worker is with what is expected.
  struct Asked {
    const char *data = nullptr, *next = nullptr, *end = nullptr;
  };
  // Asks for a line; false if nothing is left to ask for.
  bool ask(int64_t index, Asked& asked) const;
  // Items of a thread that nobody took yet, on a line of their own.
  struct alignas(64) Stretch {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  template <class Body>
  void share(int64_t items, int64_t grain, bool shrinks, const Body& body) {
    run(
        items, grain, shrinks,
        [](const void* context, Claims& claims) { (*static_cast<const Body*>(context))(claims); }, &body);
  }
  void run(int64_t items, int64_t grain, bool shrinks, Call call, const void* context);
  // This thread's share of the job; the first exception of all is kept.
  void take_part(int64_t owner);
  void work(int64_t index);

  // generation · 2^16 + workers inside · 2 + open. On a line of its own: who waits reads it all the time.
  alignas(64) std::atomic<uint64_t> state_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  // Read by who waits too, and so apart from what every job writes.
  alignas(64) std::atomic<const char*> expected_{nullptr};
  std::atomic<int64_t> expected_items_{0}, expected_bytes_{0};  // of an item
  alignas(64) int64_t grain_ = 1, owners_ = 0;
  bool shrinks_ = false;
  Call call_ = nullptr;
  const void* context_ = nullptr;
  std::atomic<bool> is_running_{false};
  std::atomic<bool> has_failed_{false};
  std::exception_ptr failure_;
  std::unique_ptr<Stretch[]> stretches_;
  std::vector<std::thread> workers_;
};

// Processors this process may use: its affinity mask, bounded by the cgroup's CPU quota.
int usable_processors();
// Threads that are asked for, where 0 stands for as many as that.
inline int threads_of(int asked) { return asked == 0 ? usable_processors() : asked; }

}  // namespace fude
