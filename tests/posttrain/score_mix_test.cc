#include "posttrain/score_mix.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace fude {
namespace {

// Answers that are right with the probability that the three numbers give them: as many of them give the numbers back.
TEST(FitScoreMix, FindsWhatTheAnswersWereMadeWith) {
  Random random{1, 2};
  for (const auto& [verdict, likelihood, bias] : {std::tuple{0.5, 0.9, 1.5}, {2.0, 0.0, -1.0}, {0.0, 0.25, 0.0}}) {
    std::vector<MixSample> samples(20000);
    for (MixSample& sample : samples) {
      sample.verdict = 2 * random.normal(), sample.logprob = -3 * random.uniform();
      const double odds = verdict * sample.verdict + likelihood * sample.logprob + bias;
      sample.is_right = random.uniform() < 1 / (1 + std::exp(-odds));
    }
    const ScoreMix mix = fit_score_mix(samples);
    EXPECT_NEAR(mix.verdict, verdict, 0.1);
    EXPECT_NEAR(mix.likelihood, likelihood, 0.1);
    EXPECT_NEAR(mix.bias, bias, 0.15);
  }
}

TEST(FitScoreMix, StaysFiniteWhereNothingOrEverythingIsKnown) {
  for (const auto& samples : {std::vector<MixSample>{{30, -1, true}, {-30, -2, false}},  // told apart by a step
                              std::vector<MixSample>{{1, -5, false}, {2, -6, false}},    // all wrong
                              std::vector<MixSample>{{0, 0, true}}, std::vector<MixSample>(1000, {30, -900, true})}) {
    const ScoreMix mix = fit_score_mix(samples);
    for (float x : {mix.verdict, mix.likelihood, mix.bias}) EXPECT_LT(std::abs(x), 100);
    for (const MixSample& s : samples) {
      const double odds = double(mix.verdict) * s.verdict + double(mix.likelihood) * s.logprob + double(mix.bias);
      EXPECT_EQ(odds > 0, s.is_right) << odds;
    }
  }
  EXPECT_THROW(fit_score_mix({}), Error);
}

}  // namespace
}  // namespace fude
