// From the log-probabilities of a row to a token.
//
// A draw is keyed by (seed, position): it does not depend on the batch or on what was drawn before. Two numbers come
// with each token: `logprob`, of the model's own softmax, and `sampled_logprob`, of the distribution that was drawn
// from (after penalties, temperature and truncation).
#pragma once

#include <cstdint>
#include <span>

namespace fude {

struct SamplingOptions {
  double temperature = 0.8;         // 0: the most likely token
  int64_t top_k = 0;                // keep the k most likely; 0: all
  double top_p = 1.0;               // keep the fewest that reach this probability
  double min_p = 0.0;               // keep those of at least this share of the most likely one's probability
  double repetition_penalty = 1.0;  // divides the scores of tokens seen (Keskar et al., 2019, CTRL)
  double presence_penalty = 0.0;    // subtracted once from tokens generated
  double frequency_penalty = 0.0;   // subtracted for every time a token was generated
  uint64_t seed = 0;
};

// Error naming the option that is out of range.
void check(const SamplingOptions& options);

struct SampledToken {
  int32_t token;
  float logprob, sampled_logprob;
};

// logprobs_V: the model's log-softmax. `seen`: prompt and answer so far; `generated` of them, at the end, are the
// answer. `position`: of the token to draw. Ties go to the smaller id.
SampledToken sample_token(std::span<const float> logprobs_V, std::span<const int32_t> seen, int64_t generated,
                          const SamplingOptions& options, int64_t position);

}  // namespace fude
