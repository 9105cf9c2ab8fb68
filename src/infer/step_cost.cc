#include "infer/step_cost.h"

#include <algorithm>
#include <cmath>

#include "base/solve.h"

namespace fude {
namespace {

constexpr double kMemory = 0.98, kRidge = 1e-6;
constexpr int64_t kEnoughSteps = 8;
// What a token and a key count as, so that the three unknowns are of one size.
constexpr double kTokenUnit = 100, kKeyUnit = 10000;

}  // namespace

void StepCost::add(int64_t tokens, int64_t keys, double seconds) {
  const std::array<double, 3> x = {1, double(tokens) / kTokenUnit, double(keys) / kKeyUnit};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) products_[i][j] = products_[i][j] * kMemory + x[i] * x[j];
    targets_[i] = targets_[i] * kMemory + x[i] * seconds;
  }
  ++steps_;
  solve();
}

bool StepCost::is_known() const { return steps_ >= kEnoughSteps; }

double StepCost::of(int64_t tokens, int64_t keys) const {
  return cost_[0] + cost_[1] * double(tokens) / kTokenUnit + cost_[2] * double(keys) / kKeyUnit;
}

int64_t StepCost::largest_chunk(int64_t tokens, int64_t keys, int64_t first, double seconds) const {
  // m tokens from position p on attend to m · p + m (m + 1) / 2 keys: a quadratic in m.
  const double room = seconds - of(tokens, keys);
  if (!(room > 0)) return 0;
  const double square = cost_[2] / kKeyUnit / 2;
  const double linear = cost_[1] / kTokenUnit + square * double(2 * first + 1);
  if (linear <= 0 && square <= 0) return int64_t(1) << 30;
  // Of the two forms of the solution, the one without cancellation.
  return int64_t(std::min(2 * room / (linear + std::sqrt(linear * linear + 4 * square * room)), 0x1p30));
}

// Gaussian elimination of the normal equations; the ridge keeps them regular where all steps were alike. Costs are
// never negative: what would be is left out and the rest fitted again.
void StepCost::solve() {
  std::array<bool, 3> is_used = {true, true, true};
  for (bool is_done = false; !is_done;) {
    auto a = products_;
    auto b = targets_;
    for (size_t i = 0; i < 3; ++i) {
      a[i][i] += kRidge;
      if (is_used[i]) continue;
      for (size_t j = 0; j < 3; ++j) a[i][j] = a[j][i] = 0;
      a[i][i] = 1, b[i] = 0;
    }
    cost_ = fude::solve(a, b);
    is_done = true;
    const size_t least = size_t(std::min_element(cost_.begin(), cost_.end()) - cost_.begin());
    if (cost_[least] < 0) is_used[least] = false, is_done = false;
  }
}

}  // namespace fude
