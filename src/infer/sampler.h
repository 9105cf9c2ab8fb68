// From the logits of a row to a token.
//
// A draw is keyed by (seed, position): it does not depend on the batch or on what was drawn before. Two numbers come
// with each token: `logprob`, of the model's own softmax, and `sampled_logprob`, of the distribution that was drawn
// from (after penalties, temperature and truncation).
//
// Most draws end among the few most likely tokens. The sampler sorts only those, and takes the mass of the rest from
// the sweep that gives the log-softmax anyway, or under a mask or penalties from another like it; a draw so close to
// the edge between two tokens that the rounding of this mass might matter is done again by the definition, in f64 over
// the whole vocabulary.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "infer/token_mask.h"
#include "ops/kernels.h"

namespace fude {

struct SamplingOptions {
  double temperature = 0.8;         // 0: the most likely token
  int64_t top_k = 0;                // keep the k most likely; 0: all
  double top_p = 1.0;               // keep the fewest that reach this probability
  double min_p = 0.0;               // keep those of at least this share of the most likely one's probability
  double repetition_penalty = 1.0;  // multiplies the log-probabilities of tokens seen, where CTRL
                                    // (Keskar et al., 2019) divides logits, whose sign has no meaning
  double presence_penalty = 0.0;    // subtracted once from tokens generated
  double frequency_penalty = 0.0;   // subtracted for every time a token was generated
  uint64_t seed = 0;
  std::vector<std::pair<int32_t, double>> logit_bias;  // added to the scores of tokens
};

// Error naming the option that is out of range.
void check(const SamplingOptions& options);
// What logit_sums is to be asked for.
inline float inverse_temperature(const SamplingOptions& o) {
  return o.temperature > 0 ? float(std::min(1 / o.temperature, double(FLT_MAX))) : 1.0f;
}

struct SampledToken {
  int32_t token;
  float logprob, sampled_logprob;
};

// A row of logits and its sums at the options' inverse temperature.
struct LogitRow {
  std::span<const float> logits_V;
  LogitSums sums;
  float logprob(size_t token) const { return logits_V[token] - sums.log_sum; }
};
inline LogitRow logit_row(const Tensor& logits_NV, const std::vector<LogitSums>& sums_N, int64_t row) {
  return {{logits_NV.data<float>() + row * logits_NV.cols(), size_t(logits_NV.cols())}, sums_N[size_t(row)]};
}

// `seen`: prompt and answer so far; `generated` of them, at the end, are the answer. `position`: of the token to draw.
// Ties go to the smaller id. Error if the logits are not numbers.
SampledToken sample_token(const Kernels& kernels, const LogitRow& row, std::span<const int32_t> seen, int64_t generated,
                          const SamplingOptions& options, int64_t position, TokenMask* mask = nullptr);
// The definition: the same from a whole log-softmax.
SampledToken sample_token(std::span<const float> logprobs_V, std::span<const int32_t> seen, int64_t generated,
                          const SamplingOptions& options, int64_t position);

struct TokenLogprob {
  int32_t token;
  float logprob;
  bool operator==(const TokenLogprob&) const = default;
};
// The `count` most likely tokens, the most likely first, of equals the smaller id.
std::vector<TokenLogprob> top_logprobs(const LogitRow& row, int64_t count);

}  // namespace fude
