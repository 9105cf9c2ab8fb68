#include "base/statistics.h"

#include <array>
#include <limits>
#include <map>
#include <numeric>

#include "base/random.h"

namespace fude {
namespace {

constexpr uint64_t kVoteStream = 0x766F7465;

// Student's t that 97.5 % stay below, by degrees of freedom 1 … 30; beyond, the expansion around the normal quantile
// (Abramowitz and Stegun 26.7.5) is right to four digits.
double student_quantile(int64_t freedom) {
  static constexpr std::array kTable = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060,
                                        2.2622,  2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199,
                                        2.1098,  2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639,
                                        2.0595,  2.0555, 2.0518, 2.0484, 2.0452, 2.0423};
  if (freedom <= int64_t(kTable.size())) return kTable[size_t(freedom - 1)];
  constexpr double z = 1.959964, z3 = z * z * z, z5 = z3 * z * z;
  const double v = double(freedom);
  return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v);
}

// Who wins a vote, and how right that is: of several with the same sum, the share that is right.
double rightness_of_winner(std::span<const Try* const> voters) {
  // Of equal answers a verdict may differ, which sees more of them than what they commit to.
  struct Sum {
    double weight = 0;
    int64_t voters = 0, right = 0;
  };
  std::map<int64_t, Sum> sums;  // by answer
  for (const Try* vote : voters) {
    if (vote->answer == kNoAnswer) continue;
    Sum& sum = sums[vote->answer];
    sum.weight += vote->weight, ++sum.voters, sum.right += vote->is_right ? 1 : 0;
  }
  double best = -std::numeric_limits<double>::infinity();
  for (const auto& [answer, sum] : sums) best = std::max(best, sum.weight);
  double winners = 0, right = 0;
  for (const auto& [answer, sum] : sums)
    if (sum.weight == best) ++winners, right += double(sum.right) / double(sum.voters);
  return winners == 0 ? 0 : right / winners;
}

void require_subset(const char* op, int64_t k, int64_t tries) {
  require(k >= 1 && k <= tries, "[{}] expected 1 to {} tries, got {}", op, tries, k);
}

}  // namespace

Estimate mean_of(std::span<const double> samples) {
  require(!samples.empty(), "[mean_of] expected at least one sample");
  const double n = double(samples.size()), mean = std::accumulate(samples.begin(), samples.end(), 0.0) / n;
  if (samples.size() == 1) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return {mean, {-kInfinity, kInfinity}, 1};
  }
  double squares = 0;
  for (const double sample : samples) squares += (sample - mean) * (sample - mean);
  const double half = student_quantile(int64_t(samples.size()) - 1) * std::sqrt(squares / (n - 1) / n);
  return {mean, {mean - half, mean + half}, int64_t(samples.size())};
}

Estimate share_of(std::span<const double> samples) {
  Estimate share = mean_of(samples);
  const auto ones = std::ranges::count(samples, 1.0), zeros = std::ranges::count(samples, 0.0);
  if (ones + zeros == share.count)
    share.interval = wilson_interval(ones, share.count);
  else
    share.interval = {std::max(0.0, share.interval.low), std::min(1.0, share.interval.high)};
  return share;
}

Estimate paired_difference(std::span<const double> a, std::span<const double> b) {
  require(a.size() == b.size(), "[paired_difference] expected as many samples of each, got {} and {}", a.size(),
          b.size());
  std::vector<double> differences;
  for (size_t i = 0; i < a.size(); ++i) differences.push_back(a[i] - b[i]);
  return mean_of(differences);
}

double pass_at(int64_t k, int64_t tries, int64_t right) {
  require_subset("pass_at", k, tries);
  require(right >= 0 && right <= tries, "[pass_at] expected 0 to {} right ones, got {}", tries, right);
  double none = 1;  // C(n − c, k) / C(n, k), factor by factor
  for (int64_t i = 0; i < k; ++i) none *= double(std::max<int64_t>(0, tries - right - i)) / double(tries - i);
  return 1 - none;
}

double vote_at(int64_t k, std::span<const Try> tries, uint64_t seed, int64_t draws) {
  require_subset("vote_at", k, int64_t(tries.size()));
  require(draws > 0, "[vote_at] expected at least one draw, got {}", draws);
  std::vector<const Try*> voters;
  for (const Try& one : tries) voters.push_back(&one);
  if (size_t(k) == tries.size()) return rightness_of_winner(voters);
  Random random{seed, kVoteStream, 0};
  double total = 0;
  for (int64_t draw = 0; draw < draws; ++draw) {
    for (size_t i = 0; i < size_t(k); ++i) std::swap(voters[i], voters[i + random.below(voters.size() - i)]);
    total += rightness_of_winner({voters.data(), size_t(k)});
  }
  return total / double(draws);
}

double best_of(int64_t k, std::span<const Try> tries) {
  require_subset("best_of", k, int64_t(tries.size()));
  std::vector<const Try*> order;
  for (const Try& one : tries) order.push_back(&one);
  std::stable_sort(order.begin(), order.end(), [](const Try* a, const Try* b) { return a->weight > b->weight; });
  // All of a group of equal weights stand as one: it holds the best of k if one of k is among it and the better ones,
  // and none among those alone.
  const auto one_of_first = [&](size_t count) { return pass_at(k, int64_t(order.size()), int64_t(count)); };
  double result = 0;
  for (size_t first = 0, last; first < order.size(); first = last) {
    double right = 0;
    for (last = first; last < order.size() && order[last]->weight == order[first]->weight; ++last)
      right += order[last]->is_right;
    result += (one_of_first(last) - one_of_first(first)) * right / double(last - first);
  }
  return result;
}

}  // namespace fude
