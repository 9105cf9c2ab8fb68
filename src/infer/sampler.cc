#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "base/error.h"
#include "base/random.h"

namespace fude {
namespace {

constexpr uint64_t kSamplingStream = 0x73616D706C65;  // one stream for draws, apart from weights and data

bool changes_scores(const SamplingOptions& o) {
  return o.repetition_penalty != 1.0 || o.presence_penalty != 0.0 || o.frequency_penalty != 0.0 ||
         !o.logit_bias.empty();
}

// Scores after penalties and bias.
void penalise(std::vector<double>& scores, std::span<const int32_t> seen, int64_t generated, const SamplingOptions& o) {
  if (o.repetition_penalty != 1.0) {
    std::vector<int32_t> distinct(seen.begin(), seen.end());
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    // Log-probabilities are never positive, so a penalty multiplies them.
    for (int32_t token : distinct) scores[size_t(token)] *= o.repetition_penalty;
  }
  for (const auto& [token, bias] : o.logit_bias) scores[size_t(token)] += bias;
  if (o.presence_penalty == 0.0 && o.frequency_penalty == 0.0) return;
  std::vector<int32_t> answer(seen.end() - generated, seen.end());
  std::sort(answer.begin(), answer.end());
  for (size_t i = 0; i < answer.size(); ++i) {
    scores[size_t(answer[i])] -= o.frequency_penalty;
    if (i == 0 || answer[i] != answer[i - 1]) scores[size_t(answer[i])] -= o.presence_penalty;
  }
}

// The first token of at least this log-probability, which there is. Looks at many before it decides: one by one would
// take as long as a layer.
int32_t first_of_at_least(const LogitRow& row, float least) {
  constexpr size_t kBlock = 256;
  size_t token = 0;
  for (bool is_here = false; token + kBlock <= row.logits_V.size(); token += kBlock) {
    for (size_t i = token; i < token + kBlock; ++i) is_here |= row.logprob(i) >= least;
    if (is_here) break;
  }
  while (row.logprob(token) < least) ++token;
  return int32_t(token);
}

double uniform_draw(const SamplingOptions& o, int64_t position) {
  return Random{o.seed, kSamplingStream, uint64_t(position)}.uniform();
}

// Tokens by falling score, of equals the smaller first; sorted only as far as they are read.
class Ranking {
 public:
  explicit Ranking(const std::vector<double>& scores) : scores_(scores), order_(scores.size()) {
    std::iota(order_.begin(), order_.end(), 0);
  }
  int32_t operator[](size_t rank) {
    while (rank >= sorted_) sort_on();
    return order_[rank];
  }

 private:
  void sort_on() {
    const auto more_likely = [&](int32_t a, int32_t b) {
      return scores_[size_t(a)] != scores_[size_t(b)] ? scores_[size_t(a)] > scores_[size_t(b)] : a < b;
    };
    const size_t end = std::min(order_.size(), std::max<size_t>(64, 8 * sorted_));
    const auto from = order_.begin() + int64_t(sorted_), to = order_.begin() + int64_t(end);
    if (to != order_.end()) std::nth_element(from, to, order_.end(), more_likely);
    std::sort(from, to, more_likely);
    sorted_ = end;
  }

  const std::vector<double>& scores_;
  std::vector<int32_t> order_;
  size_t sorted_ = 0;
};

struct Drawn {
  int32_t token;
  double share;  // of the distribution that was drawn from
};

// The definition.
Drawn draw_from(const std::vector<double>& scores, const SamplingOptions& o, int64_t position) {
  if (o.temperature == 0.0) return {int32_t(std::max_element(scores.begin(), scores.end()) - scores.begin()), 1.0};
  Ranking ranking(scores);
  const size_t count = o.top_k > 0 ? std::min(scores.size(), size_t(o.top_k)) : scores.size();
  const double top = scores[size_t(ranking[0])];
  const auto weight = [&](double score) { return std::exp((score - top) / o.temperature); };
  const auto ranked_weight = [&](size_t rank) { return weight(scores[size_t(ranking[rank])]); };
  double total = 0;
  if (count < scores.size()) {
    for (size_t rank = 0; rank < count; ++rank) total += ranked_weight(rank);
  } else {
    for (double score : scores) total += weight(score);
  }
  size_t kept = count;
  double mass = total;
  if (o.top_p < 1.0 || o.min_p > 0.0) {
    kept = 0, mass = 0;
    for (double next = 1;
         kept < count && (kept == 0 || ((o.top_p >= 1.0 || mass < o.top_p * total) && next >= o.min_p));) {
      mass += next;
      if (++kept < count) next = ranked_weight(kept);
    }
  }
  const double draw = uniform_draw(o, position) * mass;
  size_t chosen = 0;
  double chosen_weight = ranked_weight(0);
  for (double reached = chosen_weight; reached <= draw && chosen + 1 < kept; reached += chosen_weight)
    chosen_weight = ranked_weight(++chosen);
  return {ranking[chosen], chosen_weight / mass};
}

// The same from the tokens of at least e^-depth of the most likely one's weight; nothing if these do not settle it.
std::optional<Drawn> draw_from_head(const LogitRow& row, const SamplingOptions& o, int64_t position, double depth) {
  constexpr size_t kMostSorted = 4096;
  const size_t size = row.logits_V.size();
  const float top = row.sums.top - row.sums.log_sum, least = float(double(top) - depth * o.temperature);
  const bool is_cut_by_rank = o.top_k > 0 && size_t(o.top_k) < size;
  const size_t count = is_cut_by_rank ? size_t(o.top_k) : size;  // of the tokens that may be drawn, the head's first
  std::vector<TokenLogprob> head;
  if (is_cut_by_rank) {
    head = top_logprobs(row, o.top_k);
  } else {
    for (size_t token = 0; token < size; ++token)
      if (row.logprob(token) >= least) {
        if (head.size() == kMostSorted) return {};
        head.push_back({int32_t(token), row.logprob(token)});
      }
    // The order of ids is there already.
    std::stable_sort(head.begin(), head.end(), [](const auto& a, const auto& b) { return a.logprob > b.logprob; });
  }
  std::vector<double> weights;
  for (const TokenLogprob& t : head) weights.push_back(std::exp((double(t.logprob) - double(top)) / o.temperature));
  const bool is_all = head.size() == count;
  // Log-probabilities are rounded, and the temperature divides what they have lost.
  const double rounding = std::expm1(std::abs(double(least)) * 0x1p-23 / o.temperature);
  double total = row.sums.mass, doubt = total * ((double(size) / 1024 + 80) * 0x1p-23 + rounding);
  if (is_all) total = std::accumulate(weights.begin(), weights.end(), 0.0), doubt = total * 1e-12;
  const auto is_doubtful = [&](double a, double b) { return std::abs(a - b) <= doubt; };

  size_t kept = count;
  double mass = total;
  if (o.top_p < 1.0 || o.min_p > 0.0) {
    kept = 0, mass = 0;
    const double wanted = o.top_p * total;
    for (bool is_cut = false; !is_cut;) {
      if (kept == weights.size()) {
        const bool others_are_too_few = std::exp(-depth) < o.min_p / 2;  // the head goes down to less than min_p
        if (!is_all && !others_are_too_few) return {};
        break;
      }
      if (kept > 0 && o.top_p < 1.0 && is_doubtful(mass, wanted)) return {};
      is_cut = kept > 0 && ((o.top_p < 1.0 && mass >= wanted) || weights[kept] < o.min_p);
      if (!is_cut) mass += weights[kept++];
    }
    doubt = mass * 1e-12;
  }
  const double draw = uniform_draw(o, position) * mass;
  double reached = 0;
  for (size_t chosen = 0; chosen < weights.size(); ++chosen) {
    reached += weights[chosen];
    if (is_doubtful(reached, draw)) return {};
    if (reached > draw) return Drawn{head[chosen].token, weights[chosen] / mass};
  }
  return {};
}

void check_seen(std::span<const int32_t> seen, int64_t generated, size_t vocabulary, const SamplingOptions& o) {
  require(generated >= 0 && generated <= int64_t(seen.size()), "[sampling] generated exceeds what was seen");
  if (!changes_scores(o)) return;
  for (int32_t token : seen)
    require(token >= 0 && size_t(token) < vocabulary, "[sampling] token {} is not in the vocabulary", token);
  for (const auto& [token, bias] : o.logit_bias)
    require(token >= 0 && size_t(token) < vocabulary, "[sampling] the biased token {} is not in the vocabulary", token);
}

constexpr char kNotNumbers[] =
    "[sampling] the model's log-probabilities are not numbers (NaN); its weights are damaged";

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
  for (const auto& [token, bias] : o.logit_bias) within("logit_bias", bias, -1000, 1000);
  require(o.top_k >= 0, "[sampling] top_k must be at least 0, got {}", o.top_k);
}

SampledToken sample_token(const LogitRow& row, std::span<const int32_t> seen, int64_t generated,
                          const SamplingOptions& o, int64_t position, TokenMask* mask) {
  const size_t size = row.logits_V.size();
  require(size > 0, "[sampling] expected logits");
  require(std::isfinite(row.sums.log_sum), "{}", kNotNumbers);
  check_seen(seen, generated, size, o);
  const auto result = [&](const Drawn& drawn) {
    return SampledToken{drawn.token, row.logprob(size_t(drawn.token)), float(std::log(drawn.share))};
  };
  if (mask == nullptr && !changes_scores(o)) {
    if (o.temperature == 0.0) {
      // Logits that differ may round to the same log-probability: a tie.
      const float best = row.sums.top - row.sums.log_sum;
      return result({first_of_at_least(row, best), 1.0});
    }
    for (const double depth : {6.0, 16.0})
      if (const auto drawn = draw_from_head(row, o, position, depth)) return result(*drawn);
  }
  std::vector<float> masked;
  std::span<const float> logits_V = row.logits_V;
  if (mask != nullptr) {
    masked.assign(logits_V.begin(), logits_V.end());
    mask->apply(masked);
    logits_V = masked;
  }
  std::vector<double> scores(size);
  for (size_t token = 0; token < size; ++token) scores[token] = double(logits_V[token] - row.sums.log_sum);
  penalise(scores, seen, generated, o);
  const SampledToken sampled = result(draw_from(scores, o, position));
  require(scores[size_t(sampled.token)] > -std::numeric_limits<double>::infinity(),
          "[sampling] the mask left no token to go on with");
  return sampled;
}

SampledToken sample_token(std::span<const float> logprobs_V, std::span<const int32_t> seen, int64_t generated,
                          const SamplingOptions& o, int64_t position) {
  require(!logprobs_V.empty(), "[sampling] expected log-probabilities");
  require(std::none_of(logprobs_V.begin(), logprobs_V.end(), [](float x) { return std::isnan(x); }), "{}", kNotNumbers);
  check_seen(seen, generated, logprobs_V.size(), o);
  std::vector<double> scores(logprobs_V.begin(), logprobs_V.end());
  penalise(scores, seen, generated, o);
  const Drawn drawn = draw_from(scores, o, position);
  return {drawn.token, logprobs_V[size_t(drawn.token)], float(std::log(drawn.share))};
}

std::vector<TokenLogprob> top_logprobs(const LogitRow& row, int64_t count) {
  const auto is_before = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob != b.logprob ? a.logprob > b.logprob : a.token < b.token;
  };
  if (count <= 0) return {};
  std::vector<TokenLogprob> best;  // a heap, the least of them first
  const size_t size = row.logits_V.size(), wanted = std::min(size_t(count), size);
  for (size_t token = 0; token < wanted; ++token) best.push_back({int32_t(token), row.logprob(token)});
  std::make_heap(best.begin(), best.end(), is_before);
  float least = best.front().logprob;
  for (size_t token = wanted; token < size; ++token) {
    const float logprob = row.logprob(token);
    if (!(logprob > least)) continue;
    std::pop_heap(best.begin(), best.end(), is_before);
    best.back() = {int32_t(token), logprob};
    std::push_heap(best.begin(), best.end(), is_before);
    least = best.front().logprob;
  }
  std::sort_heap(best.begin(), best.end(), is_before);
  return best;
}

}  // namespace fude
