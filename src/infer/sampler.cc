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
constexpr float kNever = -std::numeric_limits<float>::infinity();

bool changes_scores(const SamplingOptions& o) {
  return o.repetition_penalty != 1.0 || o.presence_penalty != 0.0 || o.frequency_penalty != 0.0 ||
         !o.logit_bias.empty();
}

// A token and its score: its log-probability, or what penalties and bias made of it.
struct Scored {
  int32_t token;
  double score;
};
bool is_more_likely(const Scored& a, const Scored& b) {
  return a.score != b.score ? a.score > b.score : a.token < b.token;
}

// What a token is drawn from: the log-probabilities of a row, in which the tokens with another score are -∞.
struct Scores {
  LogitRow row;
  std::vector<Scored> changed{};
  double row_top() const { return double(row.sums.top - row.sums.log_sum); }
  double top() const {
    double most = row_top();
    for (const Scored& c : changed) most = std::max(most, c.score);
    return most;
  }
};

// Takes the tokens out of the row whose scores penalties and bias change; a token that is -∞ already stays.
std::vector<Scored> take_changed(std::span<float> logits_V, float log_sum, std::span<const int32_t> seen,
                                 int64_t generated, const SamplingOptions& o) {
  std::vector<Scored> changed;
  const auto take = [&](int32_t token, double factor) {
    float& logit = logits_V[size_t(token)];
    if (logit == kNever) return;
    changed.push_back({token, factor * double(logit - log_sum)});
    logit = kNever;
  };
  // Log-probabilities are never positive, so a penalty multiplies them.
  if (o.repetition_penalty != 1.0)
    for (int32_t token : seen) take(token, o.repetition_penalty);
  const bool counts = o.presence_penalty != 0.0 || o.frequency_penalty != 0.0;
  const std::span<const int32_t> answer = seen.last(counts ? size_t(generated) : 0);
  for (int32_t token : answer) take(token, 1.0);
  for (const auto& [token, bias] : o.logit_bias) take(token, 1.0);
  std::ranges::sort(changed, {}, &Scored::token);
  const auto place = [&](int32_t token) {
    const auto found = std::ranges::lower_bound(changed, token, {}, &Scored::token);
    return found != changed.end() && found->token == token ? size_t(found - changed.begin()) : changed.size();
  };
  for (const auto& [token, bias] : o.logit_bias)
    if (const size_t i = place(token); i < changed.size()) changed[i].score += bias;
  std::vector<int64_t> times(changed.size() + 1);
  for (int32_t token : answer) ++times[place(token)];
  for (size_t i = 0; i < changed.size(); ++i)
    if (times[i] > 0) changed[i].score -= double(times[i]) * o.frequency_penalty + o.presence_penalty;
  return changed;
}

// Calls use(token) for the tokens of at least this log-probability, which `use` may raise, in order, until it says
// false. Looks at many before it decides: one by one would take as long as a layer.
template <class Use>
void for_at_least(const LogitRow& row, const float& least, const Use& use) {
  constexpr size_t kBlock = 256;
  const size_t size = row.logits_V.size();
  for (size_t first = 0; first < size; first += kBlock) {
    const size_t last = std::min(size, first + kBlock);
    uint32_t here = 0;  // as wide as a float, for a vector of them
    const float now = least;
    for (size_t token = first; token < last; ++token) here |= uint32_t(row.logprob(token) >= now);
    if (here == 0) continue;
    for (size_t token = first; token < last; ++token)
      if (row.logprob(token) >= least && !use(int32_t(token))) return;
  }
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
      return is_more_likely({a, scores_[size_t(a)]}, {b, scores_[size_t(b)]});
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

Drawn draw_from(const Scores& s, const SamplingOptions& o, int64_t position) {
  std::vector<double> scores(s.row.logits_V.size());
  for (size_t token = 0; token < scores.size(); ++token) scores[token] = double(s.row.logprob(token));
  for (const Scored& c : s.changed) scores[size_t(c.token)] = c.score;
  return draw_from(scores, o, position);
}

Drawn most_likely(const Scores& s) {
  // Logits that differ may round to the same log-probability: a tie.
  Scored first{0, s.row_top()};
  if (first.score > double(kNever))
    for_at_least(s.row, float(first.score), [&](int32_t token) { return first.token = token, false; });
  for (const Scored& c : s.changed)
    if (is_more_likely(c, first)) first = c;
  return {first.token, 1.0};
}

// The same from the tokens of at least e^-depth of the most likely one's weight; nothing if these do not settle it.
std::optional<Drawn> draw_from_head(const Scores& s, const SamplingOptions& o, int64_t position, double depth) {
  constexpr size_t kMostSorted = 4096;
  const LogitRow& row = s.row;
  const size_t size = row.logits_V.size();
  const double top = s.top(), row_top = s.row_top();
  const double lowest = top - depth * o.temperature;
  const float least = float(lowest);  // as good among floats, of which none lies between
  const bool is_cut_by_rank = o.top_k > 0 && size_t(o.top_k) < size;
  const size_t count = is_cut_by_rank ? size_t(o.top_k) : size;  // of the tokens that may be drawn, the head's first
  std::vector<Scored> head;
  if (is_cut_by_rank) {
    for (const TokenLogprob& t : top_logprobs(row, o.top_k))
      if (t.logprob > kNever) head.push_back({t.token, double(t.logprob)});
    head.insert(head.end(), s.changed.begin(), s.changed.end());
  } else {
    for_at_least(row, least, [&](int32_t token) {
      head.push_back({token, double(row.logprob(size_t(token)))});
      return head.size() <= kMostSorted;
    });
    if (head.size() > kMostSorted) return {};
    for (const Scored& c : s.changed)
      if (c.score >= lowest) head.push_back(c);
  }
  std::ranges::sort(head, is_more_likely);
  head.resize(std::min(head.size(), count));
  std::vector<double> weights;
  for (const Scored& t : head) weights.push_back(std::exp((t.score - top) / o.temperature));
  const bool is_all = is_cut_by_rank || head.size() == size;
  // Log-probabilities are rounded, and the temperature divides what they have lost.
  double farthest = std::abs(lowest), total = 0;
  if (row_top > double(kNever)) {
    total = double(row.sums.mass) * std::exp((row_top - top) / o.temperature);
    farthest = std::max(farthest, std::abs(row_top));
  }
  for (const Scored& c : s.changed) total += std::exp((c.score - top) / o.temperature);
  const double rounding = std::expm1(farthest * 0x1p-23 / o.temperature);
  double doubt = total * ((double(size) / 1024 + 80) * 0x1p-23 + rounding);
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

SampledToken sample_token(const Kernels& kernels, const LogitRow& row, std::span<const int32_t> seen, int64_t generated,
                          const SamplingOptions& o, int64_t position, TokenMask* mask) {
  const size_t size = row.logits_V.size();
  require(size > 0, "[sampling] expected logits");
  require(std::isfinite(row.sums.log_sum), "{}", kNotNumbers);
  check_seen(seen, generated, size, o);
  Scores scores{row};
  std::vector<float> left_V;  // the logits of which `scores` knows
  if (mask != nullptr || changes_scores(o)) {
    left_V.assign(row.logits_V.begin(), row.logits_V.end());
    if (mask != nullptr) mask->apply(left_V);
    scores.changed = take_changed(left_V, row.sums.log_sum, seen, generated, o);
    const LogitSums left = kernels.row_sums(left_V.data(), int64_t(size), inverse_temperature(o));
    scores.row = {left_V, {left.top, row.sums.log_sum, left.mass}};
    require(scores.top() > double(kNever), "[sampling] the mask left no token to go on with");
  }
  const auto result = [&](const Drawn& drawn) {
    return SampledToken{drawn.token, row.logprob(size_t(drawn.token)), float(std::log(drawn.share))};
  };
  if (o.temperature == 0.0) return result(most_likely(scores));
  for (const double depth : {6.0, 16.0})
    if (const auto drawn = draw_from_head(scores, o, position, depth)) return result(*drawn);
  return result(draw_from(scores, o, position));
}

SampledToken sample_token(std::span<const float> logprobs_V, std::span<const int32_t> seen, int64_t generated,
                          const SamplingOptions& o, int64_t position) {
  require(!logprobs_V.empty(), "[sampling] expected log-probabilities");
  require(std::none_of(logprobs_V.begin(), logprobs_V.end(), [](float x) { return std::isnan(x); }), "{}", kNotNumbers);
  check_seen(seen, generated, logprobs_V.size(), o);
  std::vector<float> left_V(logprobs_V.begin(), logprobs_V.end());
  const std::vector<Scored> changed = take_changed(left_V, 0.0f, seen, generated, o);
  const Drawn drawn = draw_from(Scores{{left_V, {}}, changed}, o, position);
  return {drawn.token, logprobs_V[size_t(drawn.token)], float(std::log(drawn.share))};
}

std::vector<TokenLogprob> top_logprobs(const LogitRow& row, int64_t count) {
  const auto is_before = [](const TokenLogprob& a, const TokenLogprob& b) {
    return is_more_likely({a.token, double(a.logprob)}, {b.token, double(b.logprob)});
  };
  if (count <= 0) return {};
  std::vector<TokenLogprob> best;  // a heap, the least of them first
  const size_t wanted = std::min(size_t(count), row.logits_V.size());
  float least = kNever;
  for_at_least(row, least, [&](int32_t token) {
    const TokenLogprob next{token, row.logprob(size_t(token))};
    if (best.size() == wanted) {
      if (next.logprob == least) return true;  // of equals the first
      std::pop_heap(best.begin(), best.end(), is_before);
      best.pop_back();
    }
    best.push_back(next);
    std::push_heap(best.begin(), best.end(), is_before);
    if (best.size() == wanted) least = best.front().logprob;
    return true;
  });
  std::sort_heap(best.begin(), best.end(), is_before);
  return best;
}

}  // namespace fude
