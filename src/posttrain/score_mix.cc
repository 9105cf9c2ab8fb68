#include "posttrain/score_mix.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/solve.h"

namespace fude {
namespace {

using Three = std::array<double, 3>;

constexpr double kPriorPrecision = 1.0 / (10 * 10);

Three features(const MixSample& sample) { return {sample.verdict, sample.logprob, 1}; }

double odds(const Three& weights, const Three& x) { return weights[0] * x[0] + weights[1] * x[1] + weights[2] * x[2]; }

// −log of what is to be most likely; log(1 + e^z) without overflow.
double cost(const std::vector<MixSample>& samples, const Three& weights) {
  double sum = 0;
  for (double w : weights) sum += kPriorPrecision / 2 * w * w;
  for (const MixSample& sample : samples) {
    const double z = (sample.is_right ? -1 : 1) * odds(weights, features(sample));
    sum += std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z)));
  }
  return sum;
}

}  // namespace

ScoreMix fit_score_mix(const std::vector<MixSample>& samples) {
  require(!samples.empty(), "[scorer] expected answers to fit the mix on");
  Three weights{};
  double best = cost(samples, weights);
  for (int step = 0; step < 100; ++step) {
    Three slope{};
    std::array<Three, 3> curvature{};
    for (size_t i = 0; i < 3; ++i) slope[i] = -kPriorPrecision * weights[i], curvature[i][i] = kPriorPrecision;
    for (const MixSample& sample : samples) {
      const Three x = features(sample);
      const double p = 1 / (1 + std::exp(-odds(weights, x)));
      for (size_t i = 0; i < 3; ++i) {
        slope[i] += ((sample.is_right ? 1 : 0) - p) * x[i];
        for (size_t k = 0; k < 3; ++k) curvature[i][k] += p * (1 - p) * x[i] * x[k];
      }
    }
    // Newton's step, halved until it helps.
    const Three whole = solve(curvature, slope);
    double part = 1, now = best;
    Three next = weights;
    for (; part > 1e-6; part /= 2) {
      for (size_t i = 0; i < 3; ++i) next[i] = weights[i] + part * whole[i];
      now = cost(samples, next);
      if (now < best) break;
    }
    if (now >= best) break;
    const double gain = best - now;
    weights = next, best = now;
    if (gain < 1e-9 * best) break;
  }
  return {float(weights[0]), float(weights[1]), float(weights[2])};
}

}  // namespace fude
