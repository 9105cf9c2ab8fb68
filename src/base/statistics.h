// What a count of successes says about the rate behind it, and what repeated measurements say.
//
// Wilson's score interval (E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA
// 22, 1927): the rates p that a z-test would not reject. Unlike p ± z·√(p(1−p)/n) it stays inside [0, 1] and is honest
// at 0 successes and at few trials (Brown, Cai and DasGupta, Statistical Science 16, 2001).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
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

}  // namespace fude
