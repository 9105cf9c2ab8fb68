// How far values are from golden ones. A value that is not a number is as far as can be: std::max would pass over it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace fude {

inline double largest(const std::vector<float>& x) {
  double most = 0;
  for (const float value : x) {
    EXPECT_FALSE(std::isnan(value));
    most = std::max(most, std::abs(double(value)));
  }
  return most;
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double difference = std::abs(double(a[i]) - double(b[i]));
    EXPECT_FALSE(std::isnan(difference));
    most = std::max(most, difference);
  }
  return most;
}

}  // namespace fude
