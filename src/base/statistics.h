// What samples say about what lies behind them: rates, means, differences, and what comes of many tries at a problem.
// Every report of the project counts with these.
//
// Wilson's score interval (E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA
// 22, 1927): the rates p that a z-test would not reject. Unlike p ± z·√(p(1−p)/n) it stays inside [0, 1] and is honest
// at 0 successes and at few trials (Brown, Cai and DasGupta, Statistical Science 16, 2001).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"

namespace fude {

struct Interval {
  double low = 0;
  double high = 1;
};

// The interval for `successes` out of `trials` independent trials; z = 1.96 covers 95 %. No trials: [0, 1].
//   centre = (k + z²/2) / (n + z²),   half width = z / (n + z²) · √(k(n − k)/n + z²/4)
inline Interval wilson_interval(int64_t successes, int64_t trials, double z = 1.96) {
  require(successes >= 0 && successes <= trials, "[wilson_interval] expected 0 <= successes <= trials, got {} of {}",
          successes, trials);
  require(z > 0, "[wilson_interval] expected z > 0, got {}", z);
  if (trials == 0) return {};
  const double k = double(successes), n = double(trials), z2 = z * z;
  const double centre = (k + z2 / 2) / (n + z2);
  const double half = z / (n + z2) * std::sqrt(k * (n - k) / n + z2 / 4);
  // At the ends the bound is exactly 0 or 1; rounding must not move it.
  return {successes == 0 ? 0.0 : std::max(0.0, centre - half),
          successes == trials ? 1.0 : std::min(1.0, centre + half)};
}

// Repeated measurements of one thing: the middle one, and the ends.
struct Spread {
  double median = 0, low = 0, high = 0;
};

// The median of an even count is the mean of the two in the middle. At least one sample.
inline Spread spread_of(std::vector<double> samples) {
  require(!samples.empty(), "[spread_of] expected at least one sample");
  std::sort(samples.begin(), samples.end());
  const size_t half = samples.size() / 2;
  const double median = samples.size() % 2 == 1 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
  return {median, samples.front(), samples.back()};
}

// A mean with its 95 % interval: mean ± t·s/√n, t of Student's distribution with n − 1 degrees of freedom.
struct Estimate {
  double value = 0;
  Interval interval{};
  int64_t count = 0;
};

// Of independent samples, at least one; of a single one the interval is the whole line.
Estimate mean_of(std::span<const double> samples);
// The same of shares from 0 to 1: within [0, 1], and where each sample is 0 or 1 Wilson's interval.
Estimate share_of(std::span<const double> samples);
// The mean of a[i] − b[i]: two models on the same problems. Far narrower than the difference of two intervals where
// problems differ in difficulty (Miller, "Adding error bars to evals", 2024).
Estimate paired_difference(std::span<const double> a, std::span<const double> b);

// The chance that one of k tries is right, from n ≥ k tries of which `right` were:  1 − C(n − right, k) / C(n, k).
// Unbiased, unlike 1 − (1 − right/n)^k (Chen et al., "Evaluating large language models trained on code", 2021).
double pass_at(int64_t k, int64_t tries, int64_t right);

// One try at a problem: which answer it gave (any number that is equal for equal answers), whether that is right, and
// what a scorer thinks of it, or 1.
struct Try {
  int64_t answer = 0;
  bool is_right = false;
  double weight = 1;
};
// The answer of a try that gave none: it wins no vote.
inline constexpr int64_t kNoAnswer = -1;

// The chance that the answer with the largest sum of weights among k of these tries is right, over `draws` subsets
// drawn without replacement. Equal sums share the vote. Exact if k takes all.
double vote_at(int64_t k, std::span<const Try> tries, uint64_t seed, int64_t draws = 200);
// The chance that the try of the largest weight among k is right: exact, over all subsets. Equal weights share it.
double best_of(int64_t k, std::span<const Try> tries);

}  // namespace fude
