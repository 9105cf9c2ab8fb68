#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace fude {
namespace {

constexpr uint64_t kSamplingStream = 0x73616D706C65;  // one stream for draws, apart from weights and data

// Scores after the penalties.
void penalise(std::vector<double>& scores, std::span<const int32_t> seen, int64_t generated, const SamplingOptions& o) {
  if (o.repetition_penalty != 1.0) {
    std::vector<int32_t> distinct(seen.begin(), seen.end());
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    // Log-probabilities are never positive, so a penalty multiplies them.
    for (int32_t token : distinct) scores[size_t(token)] *= o.repetition_penalty;
  }
  if (o.presence_penalty == 0.0 && o.frequency_penalty == 0.0) return;
  std::vector<int32_t> answer(seen.end() - generated, seen.end());
  std::sort(answer.begin(), answer.end());
  for (size_t i = 0; i < answer.size(); ++i) {
    scores[size_t(answer[i])] -= o.frequency_penalty;
    if (i == 0 || answer[i] != answer[i - 1]) scores[size_t(answer[i])] -= o.presence_penalty;
  }
}

}  // namespace

void check(const SamplingOptions& o) {
  const auto within = [](const char* name, double value, double low, double high) {
    require(value >= low && value <= high, "[sampling] {} must be between {} and {}, got {}", name, low, high, value);
  };
  within("temperature", o.temperature, 0, 100);
  within("top_p", o.top_p, 0, 1);
  within("min_p", o.min_p, 0, 1);
  within("repetition_penalty", o.repetition_penalty, 0.01, 100);
  within("presence_penalty", o.presence_penalty, -100, 100);
  within("frequency_penalty", o.frequency_penalty, -100, 100);
  require(o.top_k >= 0, "[sampling] top_k must be at least 0, got {}", o.top_k);
}

SampledToken sample_token(std::span<const float> logprobs_V, std::span<const int32_t> seen, int64_t generated,
                          const SamplingOptions& o, int64_t position) {
  require(!logprobs_V.empty(), "[sampling] expected log-probabilities");
  const bool are_numbers = std::none_of(logprobs_V.begin(), logprobs_V.end(), [](float x) { return std::isnan(x); });
  require(are_numbers, "[sampling] the model's log-probabilities are not numbers (NaN); its weights are damaged");
  require(generated >= 0 && generated <= int64_t(seen.size()), "[sampling] generated exceeds what was seen");
  for (int32_t token : seen)
    require(token >= 0 && size_t(token) < logprobs_V.size(), "[sampling] token {} is not in the vocabulary", token);
  std::vector<double> scores(logprobs_V.begin(), logprobs_V.end());
  penalise(scores, seen, generated, o);
  if (o.temperature == 0.0) {
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    return {int32_t(best), logprobs_V[size_t(best)], 0.0f};
  }

  std::vector<int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto more_likely = [&](int32_t a, int32_t b) {
    return scores[size_t(a)] != scores[size_t(b)] ? scores[size_t(a)] > scores[size_t(b)] : a < b;
  };
  if (o.top_k > 0 && size_t(o.top_k) < order.size()) {
    std::partial_sort(order.begin(), order.begin() + o.top_k, order.end(), more_likely);
    order.resize(size_t(o.top_k));
  } else {
    std::sort(order.begin(), order.end(), more_likely);
  }

  std::vector<double> weights(order.size());
  const double top = scores[size_t(order[0])];
  double total = 0;
  for (size_t i = 0; i < order.size(); ++i)
    total += weights[i] = std::exp((scores[size_t(order[i])] - top) / o.temperature);
  size_t kept = 0;
  double mass = 0;
  while (kept < order.size() && (kept == 0 || (mass < o.top_p * total && weights[kept] >= o.min_p)))
    mass += weights[kept++];

  const double draw = Random{o.seed, kSamplingStream, uint64_t(position)}.uniform() * mass;
  size_t chosen = 0;
  for (double reached = weights[0]; reached <= draw && chosen + 1 < kept; reached += weights[chosen]) ++chosen;
  const int32_t token = order[chosen];
  return {token, logprobs_V[size_t(token)], float(std::log(weights[chosen] / mass))};
}

}  // namespace fude
