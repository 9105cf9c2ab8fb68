#include "posttrain/policy_objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "base/error.h"
#include "base/random.h"

namespace fude {
namespace {

using Scale = PolicyOptions::Scale;

TEST(Advantages, ByGroup) {
  const std::vector<double> rewards = {1, 0, 0, 1, 1, 1, 1, 1};
  EXPECT_EQ(advantages_of(rewards, 4, Scale::none), std::vector<double>({0.5, -0.5, -0.5, 0.5, 0, 0, 0, 0}));
  const double deviation = std::sqrt(4 * 0.25 / 3) + 1e-4;
  const auto by_group = advantages_of(rewards, 4, Scale::group);
  EXPECT_DOUBLE_EQ(by_group[0], 0.5 / deviation);
  EXPECT_EQ(by_group[4], 0);
  const auto by_batch = advantages_of(rewards, 4, Scale::batch);
  EXPECT_DOUBLE_EQ(by_batch[1], -0.5 / (std::sqrt((6 * 0.0625 + 2 * 0.5625) / 7) + 1e-4));
  // Rewards that are equal without being exact have no advantage either.
  EXPECT_EQ(advantages_of(std::vector<double>(3, 0.1), 3, Scale::group), std::vector<double>(3, 0));
  EXPECT_THROW(advantages_of(rewards, 3, Scale::none), Error);
}

// The objective of one token, as the paper has it, in complex numbers: its derivative is the slope.
std::complex<double> objective(std::complex<double> logprob, const PolicyToken& t, const PolicyOptions& o,
                               bool is_on_policy) {
  const std::complex<double> ratio =
      is_on_policy ? std::exp(logprob - logprob.real()) : std::exp(logprob - double(t.sampled));
  const double a = t.advantage;
  const std::complex<double> plain = ratio * a;
  const double r = std::clamp(ratio.real(), 1 - o.clip_low, 1 + o.clip_high);
  const std::complex<double> clipped = r == ratio.real() ? plain : std::complex<double>(r * a, 0);
  const std::complex<double> policy = clipped.real() < plain.real() ? clipped : plain;
  const std::complex<double> difference = double(t.reference) - logprob;
  return double(t.weight) * (policy - o.kl * ratio * (std::exp(difference) - difference - 1.0));
}

TEST(PolicyObjective, SlopeIsTheDerivative) {
  Random random{3, 0};
  for (double kl : {0.0, 0.04})
    for (bool is_on_policy : {true, false}) {
      const PolicyOptions options{.clip_low = 0.2, .clip_high = 0.28, .kl = kl};
      std::vector<std::vector<PolicyToken>> tokens(2);
      std::vector<float> now;
      for (int i = 0; i < 200; ++i) {
        tokens[size_t(i % 2)].push_back({float(2 * random.uniform() - 1), float(random.uniform()),
                                         float(-3 * random.uniform()), float(-3 * random.uniform())});
        now.push_back(tokens[size_t(i % 2)].back().sampled + float(random.uniform() - 0.5));
      }
      PolicyObjective policy(tokens, options, is_on_policy);
      int clipped = 0;
      for (int i = 0; i < 200; ++i) {
        const PolicyToken& t = tokens[size_t(i % 2)][size_t(i / 2)];
        const double expected = objective({double(now[size_t(i)]), 1e-20}, t, options, is_on_policy).imag() / 1e-20;
        const float slope = policy.slope(size_t(i % 2), i / 2, now[size_t(i)]);
        EXPECT_NEAR(slope, expected, 4e-7 * (1 + std::abs(expected)));
        clipped += !is_on_policy && kl == 0 && slope == 0;
      }
      const auto sums = policy.sums();
      EXPECT_EQ(sums.tokens, 200);
      if (kl == 0) {
        EXPECT_EQ(sums.clipped, clipped);
        EXPECT_EQ(clipped > 10, !is_on_policy);
      }
    }
}

TEST(PolicyObjective, TellsADifferenceOfOneBit) {
  const float sampled = -1.25f;
  PolicyObjective policy({{{1, 1, sampled, 0}, {1, 1, sampled, 0}}}, {}, true);
  policy.slope(0, 0, sampled);
  EXPECT_EQ(policy.sums().ratio_error, 0);
  policy.slope(0, 1, std::nextafter(sampled, 0.0f));
  EXPECT_GT(policy.sums().ratio_error, 0);
}

}  // namespace
}  // namespace fude
