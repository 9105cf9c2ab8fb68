#include "backend/threads.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <chrono>
#include <vector>

#include "base/error.h"

namespace fude {
namespace {

// Every way of giving out work visits each item once.
void expect_each_once(Threads& threads, int64_t items, int64_t grain) {
  std::vector<std::atomic<int>> visits(static_cast<size_t>(items));
  const auto visit = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ++visits[size_t(i)];
  };
  std::atomic<bool> too_long{false};
  threads.parallel_for(items, grain, [&](int64_t begin, int64_t end) {
    if (end - begin > grain && threads.count() > 1 && items > grain) too_long = true;
    visit(begin, end);
  });
  ASSERT_FALSE(too_long);
  for (auto& count : visits) ASSERT_EQ(count.exchange(0), 1) << "parallel_for";
  threads.parallel_ranges(items, grain, visit);
  for (auto& count : visits) ASSERT_EQ(count.exchange(0), 1) << "parallel_ranges";
  threads.parallel_claims(items, grain, [&](Threads::Claims& claims) {
    for (int64_t begin, end; claims.next(begin, end);) visit(begin, end);
  });
  for (auto& count : visits) ASSERT_EQ(count.exchange(0), 1) << "parallel_claims";
}

TEST(Threads, EveryItemOnce) {
  for (int count : {1, 2, 3, 8, 33}) {
    Threads threads(count);
    EXPECT_EQ(threads.count(), count);
    for (int64_t items : {0, 1, 2, 7, 1000, 4097})
      for (int64_t grain : {1, 3, 64, 5000}) expect_each_once(threads, items, grain);
  }
}

// An exception, on whatever thread, comes out where the job was given, and the next job is a job like any other.
TEST(Threads, WhatIsThrownComesOut) {
  for (int count : {1, 2, 6}) {
    Threads threads(count);
    for (int job = 0; job < 2000; ++job) {
      const int64_t bad = job % 50;
      const auto throwing = [&](int64_t begin, int64_t end) {
        if (begin <= bad && bad < end) throw std::bad_alloc();
      };
      ASSERT_THROW(threads.parallel_for(50, 1, throwing), std::bad_alloc);
      ASSERT_THROW(threads.parallel_for(50, 1, [](int64_t, int64_t) { fail("all of them"); }), Error);
    }
    expect_each_once(threads, 1000, 3);
  }
}

TEST(Threads, RefuseAJobInsideAJob) {
  Threads threads(3);
  EXPECT_THROW(
      threads.parallel_for(10, 1, [&](int64_t, int64_t) { threads.parallel_for(10, 1, [](int64_t, int64_t) {}); }),
      Error);
  expect_each_once(threads, 100, 3);
}

// Jobs so small that workers of one are still arriving when the next begins.
TEST(Threads, ThousandsOfTinyJobs) {
  Threads threads(6);
  int64_t total = 0;
  for (int64_t job = 0; job < 20000; ++job) {
    std::atomic<int64_t> sum{0};
    const int64_t items = 2 + job % 7;
    threads.parallel_for(items, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) sum += i + job;
    });
    ASSERT_EQ(sum, items * (items - 1) / 2 + items * job) << "job " << job;
    total += sum;
  }
  EXPECT_GT(total, 0);
}

// What a job wrote without atomics is visible to the caller.
TEST(Threads, ResultsAreVisible) {
  Threads threads(4);
  std::vector<int64_t> values(1000);
  for (int64_t job = 0; job < 2000; ++job) {
    threads.parallel_for(1000, 10, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) values[size_t(i)] = i * job;
    });
    for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(values[size_t(i)], i * job);
  }
}

// Workers that went to sleep wake up: two items that wait for each other need two threads.
TEST(Threads, SleepersWakeUp) {
  Threads threads(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    std::atomic<int> arrived{0};
    std::atomic<bool> met{true};
    threads.parallel_for(2, 1, [&](int64_t, int64_t) {
      ++arrived;
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (arrived < 2 && met)
        if (std::chrono::steady_clock::now() > deadline) met = false;
    });
    ASSERT_TRUE(met) << "round " << round;
  }
}

TEST(Threads, EndsWhileWorkersSleepOrSpin) {
  for (int round = 0; round < 50; ++round) {
    Threads threads(5);
    threads.parallel_for(10, 1, [](int64_t, int64_t) {});
    if (round % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// What is expected is never read: memory that is gone does no harm.
TEST(Threads, ExpectsWhatMayBeGone) {
  Threads threads(4);
  constexpr size_t kBytes = 1 << 20;
  for (int round = 0; round < 20; ++round) {
    void* gone = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(gone, MAP_FAILED);
    ::munmap(gone, kBytes);
    // From another place each time: the same one is taken for what was asked for already.
    threads.expect(static_cast<std::byte*>(gone) + 4096 * round, round + 1, 4096);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::atomic<int> items{0};
    threads.parallel_for(10, 1, [&](int64_t begin, int64_t end) { items += int(end - begin); });
    ASSERT_EQ(items, 10);
  }
}

TEST(Threads, RefusesSillyCounts) {
  EXPECT_THROW(Threads(-1), Error);
  EXPECT_THROW(Threads(5000), Error);
  EXPECT_GE(usable_processors(), 1);
}

}  // namespace
}  // namespace fude
