// A function on several threads at once, for layers below the pool (backend/threads.h): made and ended with the work.
#pragma once

#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace fude {

// Calls body(thread) on `threads` threads, the caller among them. What the first of them throws is thrown again when
// all are done.
template <class Body>
void run_on_threads(size_t threads, const Body& body) {
  std::vector<std::exception_ptr> errors(threads);
  const auto work = [&](size_t thread) {
    try {
      body(thread);
    } catch (...) { errors[thread] = std::current_exception(); }
  };
  std::vector<std::jthread> others;
  for (size_t thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
  work(0);
  others.clear();
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace fude
