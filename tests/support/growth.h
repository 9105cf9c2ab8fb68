// How work grows with its input, told by processor time: what a test of complexity compares, because a limit in seconds
// fails on a slow day, under a sanitizer or beside other work.
#pragma once

#include <algorithm>
#include <ctime>
#include <limits>

namespace fude {

// Time of run(8 * size) as a multiple of that of run(size), the least of three tries: 8 for linear work, 64 for
// quadratic.
template <class Run>
double growth_over_eightfold(size_t size, const Run& run) {
  const auto time = [&](size_t n) {
    const std::clock_t start = std::clock();
    run(n);
    return double(std::max<std::clock_t>(1, std::clock() - start));
  };
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 3; ++i) {
    const double small = time(size);
    least = std::min(least, time(8 * size) / small);
  }
  return least;
}

}  // namespace fude
