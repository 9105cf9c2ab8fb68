#include "base/statistics.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

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

// R: t.test(c(1, 2, 3, 4, 10)) gives 4 and 0.1 to 7.9 (rounded); t.test(x, y, paired = TRUE) is t.test(x - y).
TEST(Mean, IsStudents) {
  const Estimate mean = mean_of(std::vector<double>{1, 2, 3, 4, 10});
  EXPECT_DOUBLE_EQ(mean.value, 4);
  // s = 3.535534, t(0.975, 4) = 2.776445.
  EXPECT_NEAR(mean.interval.low, 4 - 2.776445 * 3.535534 / std::sqrt(5.0), 1e-3);
  EXPECT_NEAR(mean.interval.high, 4 + 2.776445 * 3.535534 / std::sqrt(5.0), 1e-3);
  std::vector<double> many;  // t(0.975, 99) = 1.984217; s of 0 … 99 = 29.011492
  for (int i = 0; i < 100; ++i) many.push_back(i);
  EXPECT_NEAR(mean_of(many).interval.high, 49.5 + 1.984217 * 2.9011492, 1e-4);
  EXPECT_TRUE(std::isinf(mean_of(std::vector<double>{1}).interval.high));
  EXPECT_THROW(mean_of({}), Error);
}

// What is a share stays one.
TEST(Statistics, SharesStayBetween0And1) {
  const Estimate all = share_of(std::vector<double>(20, 1.0));
  EXPECT_NEAR(all.interval.low, 0.8389, 1e-4);  // Wilson's
  EXPECT_EQ(all.interval.high, 1);
  std::vector<double> most(20, 1.0);
  most[0] = 0.5;
  const Estimate parts = share_of(most);
  EXPECT_EQ(parts.interval.high, 1);
  EXPECT_EQ(parts.interval.low, mean_of(most).interval.low);
}

TEST(PairedDifference, SeesWhatIsCommonToBoth) {
  std::vector<double> a, b;
  for (int i = 0; i < 50; ++i) a.push_back(i % 10 + 0.5), b.push_back(i % 10);
  const Estimate difference = paired_difference(a, b);
  EXPECT_DOUBLE_EQ(difference.value, 0.5);
  EXPECT_NEAR(difference.interval.low, 0.5, 1e-12);
  EXPECT_THROW(paired_difference(a, std::vector<double>{1}), Error);
}

// All subsets of n tries by their bit masks.
template <class Value>
double mean_over_subsets(size_t n, int64_t k, const Value& value) {
  double total = 0, count = 0;
  for (uint32_t mask = 0; mask < 1u << n; ++mask)
    if (std::popcount(mask) == k) total += value(mask), ++count;
  return total / count;
}

TEST(PassAt, IsTheMeanOverAllSubsets) {
  for (int64_t right = 0; right <= 7; ++right)
    for (int64_t k = 1; k <= 7; ++k)
      EXPECT_NEAR(pass_at(k, 7, right),
                  mean_over_subsets(7, k, [&](uint32_t mask) { return (mask & ((1u << right) - 1)) != 0; }), 1e-12);
  EXPECT_THROW(pass_at(3, 2, 1), Error);
  EXPECT_THROW(pass_at(1, 2, 3), Error);
}

TEST(BestOf, IsTheMeanOverAllSubsets) {
  const std::vector<Try> tries = {{1, true, 0.5},  {2, false, 0.9}, {3, false, 0.5}, {1, true, 0.9},
                                  {4, false, 0.1}, {1, true, 0.5},  {5, false, -2}};
  for (int64_t k = 1; k <= 7; ++k)
    EXPECT_NEAR(best_of(k, tries),
                mean_over_subsets(7, k,
                                  [&](uint32_t mask) {
                                    double best = -1e9, right = 0, count = 0;
                                    for (size_t i = 0; i < 7; ++i)
                                      if (mask >> i & 1) best = std::max(best, tries[i].weight);
                                    for (size_t i = 0; i < 7; ++i)
                                      if ((mask >> i & 1) && tries[i].weight == best)
                                        right += tries[i].is_right, ++count;
                                    return right / count;
                                  }),
                1e-12)
        << k;
}

TEST(VoteAt, AnAnswerIsWorthWhatItsVotersAre) {
  EXPECT_EQ(vote_at(4, std::vector<Try>{{1, true}, {1, true}, {1, true}, {1, false}}, 1), 0.75);
  EXPECT_EQ(vote_at(4, std::vector<Try>{{1, false}, {1, true}, {1, true}, {1, true}}, 1), 0.75);
}

TEST(VoteAt, CountsEqualAnswersAndSharesTies) {
  const std::vector<Try> tries = {{7, true}, {7, true}, {3, false}, {3, false}, {kNoAnswer, false}, {9, false}};
  EXPECT_EQ(vote_at(6, tries, 1), 0.5);
  EXPECT_NEAR(vote_at(1, tries, 1, 20000), 2.0 / 6, 0.02);
  std::vector<Try> weighted = tries;
  weighted[2].weight = 3;
  EXPECT_EQ(vote_at(6, weighted, 1), 0.0);
  EXPECT_EQ(vote_at(2, std::vector<Try>{{kNoAnswer}, {kNoAnswer}}, 1), 0.0);
  EXPECT_EQ(vote_at(3, tries, 5), vote_at(3, tries, 5));
  // Three of six: the mean over all subsets.
  const double expected = mean_over_subsets(6, 3, [&](uint32_t mask) {
    const int sevens = int(mask & 1) + int(mask >> 1 & 1), threes = int(mask >> 2 & 1) + int(mask >> 3 & 1),
              nines = int(mask >> 5 & 1), most = std::max({sevens, threes, nines});
    return sevens < most ? 0.0 : 1.0 / ((sevens == most) + (threes == most) + (nines == most));
  });
  EXPECT_NEAR(vote_at(3, tries, 2, 40000), expected, 0.01);
}

}  // namespace
}  // namespace fude
