#include "posttrain/policy_objective.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace fude {
namespace {

double mean_of_group(std::span<const double> values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / double(values.size());
}

// With n - 1, as torch's.
double deviation_of(std::span<const double> values, double mean) {
  double sum = 0;
  for (double value : values) sum += (value - mean) * (value - mean);
  return values.size() > 1 ? std::sqrt(sum / double(values.size() - 1)) : 0;
}

// Keeps a division by no deviation finite, as TRL's.
constexpr double kDeviationFloor = 1e-4;

}  // namespace

std::vector<double> advantages_of(std::span<const double> rewards, int64_t group_size, PolicyOptions::Scale scale) {
  require(group_size > 0 && int64_t(rewards.size()) % group_size == 0,
          "[policy] expected whole groups of {}, got {} rewards", group_size, rewards.size());
  std::vector<double> advantages(rewards.begin(), rewards.end());
  const double all = rewards.empty() ? 0 : deviation_of(rewards, mean_of_group(rewards));
  for (size_t first = 0; first < rewards.size(); first += size_t(group_size)) {
    const auto group = rewards.subspan(first, size_t(group_size));
    const double mean = mean_of_group(group);
    const double deviation = scale == PolicyOptions::Scale::group   ? deviation_of(group, mean) + kDeviationFloor
                             : scale == PolicyOptions::Scale::batch ? all + kDeviationFloor
                                                                    : 1;
    for (size_t i = 0; i < group.size(); ++i) advantages[first + i] = (group[i] - mean) / deviation;
    if (std::ranges::all_of(group, [&](double reward) { return reward == group.front(); }))
      std::fill_n(advantages.begin() + int64_t(first), group_size, 0.0);
  }
  return advantages;
}

PolicyObjective::PolicyObjective(std::vector<std::vector<PolicyToken>> tokens, const PolicyOptions& options,
                                 bool is_on_policy)
    : tokens_(std::move(tokens)), options_(options), is_on_policy_(is_on_policy) {
  for (const auto& block : tokens_) seen_.emplace_back(block.size());
}

float PolicyObjective::slope(size_t block, int64_t row, float logprob) {
  const PolicyToken& token = tokens_[block][size_t(row)];
  Seen& seen = seen_[block][size_t(row)];
  seen = {logprob, 0, 0, false, true};
  const double ratio = is_on_policy_ ? 1.0 : std::exp(double(logprob) - double(token.sampled));
  const double advantage = token.advantage;
  seen.is_clipped =
      (advantage > 0 && ratio > 1 + options_.clip_high) || (advantage < 0 && ratio < 1 - options_.clip_low);
  double slope = seen.is_clipped ? 0 : advantage * ratio;
  double gain =
      advantage * (seen.is_clipped ? std::clamp(ratio, 1 - options_.clip_low, 1 + options_.clip_high) : ratio);
  if (options_.kl != 0) {
    const double difference = double(token.reference) - double(logprob);
    seen.kl = float(ratio * (std::exp(difference) - difference - 1));
    slope += options_.kl * ratio * difference, gain -= options_.kl * double(seen.kl);
  }
  seen.loss = float(-gain * double(token.weight));
  return float(slope * double(token.weight));
}

PolicyObjective::Sums PolicyObjective::sums() const {
  Sums sums;
  for (size_t block = 0; block < seen_.size(); ++block)
    for (size_t row = 0; row < seen_[block].size(); ++row) {
      const Seen& seen = seen_[block][row];
      if (!seen.is_seen) continue;
      sums.tokens += 1, sums.logprob += double(seen.logprob);
      sums.loss += double(seen.loss), sums.kl += double(seen.kl);
      sums.clipped += seen.is_clipped ? 1 : 0;
      sums.ratio_error =
          std::max(sums.ratio_error, std::abs(double(seen.logprob) - double(tokens_[block][row].sampled)));
    }
  return sums;
}

}  // namespace fude
