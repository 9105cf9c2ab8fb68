#include "base/statistics.h"

#include <gtest/gtest.h>

namespace fude {
namespace {

// Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
// table I, method 3 (score, no continuity correction), z = 1.959964.
TEST(Wilson, MatchesPublishedValues) {
  const struct {
    int64_t successes, trials;
    double low, high;
  } cases[] = {{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0.0, 0.1611}, {1, 29, 0.0061, 0.1718}};
  for (const auto& c : cases) {
    const Interval interval = wilson_interval(c.successes, c.trials, 1.959964);
    EXPECT_NEAR(interval.low, c.low, 5e-5) << c.successes << "/" << c.trials;
    EXPECT_NEAR(interval.high, c.high, 5e-5) << c.successes << "/" << c.trials;
  }
}

TEST(Wilson, IsSymmetricAndExactAtTheEnds) {
  for (int64_t k = 0; k <= 17; ++k) {
    const Interval interval = wilson_interval(k, 17), mirror = wilson_interval(17 - k, 17);
    EXPECT_NEAR(interval.low, 1 - mirror.high, 1e-12);
    EXPECT_LE(interval.low, double(k) / 17);
    EXPECT_GE(interval.high, double(k) / 17);
  }
  EXPECT_EQ(wilson_interval(0, 17).low, 0.0);
  EXPECT_EQ(wilson_interval(17, 17).high, 1.0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1.0);
}

TEST(Wilson, RefusesImpossibleCounts) {
  EXPECT_THROW(wilson_interval(3, 2), Error);
  EXPECT_THROW(wilson_interval(-1, 2), Error);
  EXPECT_THROW(wilson_interval(1, 2, 0), Error);
}

TEST(Spread, MedianAndEnds) {
  const Spread odd = spread_of({5, 1, 3});
  EXPECT_EQ(odd.median, 3);
  EXPECT_EQ(odd.low, 1);
  EXPECT_EQ(odd.high, 5);
  EXPECT_EQ(spread_of({4, 1, 3, 2}).median, 2.5);
  EXPECT_EQ(spread_of({7}).median, 7);
  EXPECT_THROW(spread_of({}), Error);
}

}  // namespace
}  // namespace fude
