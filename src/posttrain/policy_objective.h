// The policy gradient on the tokens of sampled answers, as a slope for each token's log-probability.
//
//   J = Σ over tokens of weight · ( min(r · A, clip(r, 1 - low, 1 + high) · A) - kl · r · k3 )
//   r = p / p_sampler,   k3 = p_reference / p - log(p_reference / p) - 1
//
// r is in front of k3 because tokens are the sampler's: the slope of r · k3 is r · log(p / p_reference), whose mean is
// the gradient of the divergence of p from the reference; that of k3 alone is not (DeepSeek-V3.2, 2025).
//
// GRPO (Shao et al., "DeepSeekMath", 2024), with the choices of DAPO (Yu et al., 2025: a higher upper clip, every token
// of a step counts the same) and Dr. GRPO (Liu et al., "Understanding R1-Zero-like training", 2025: no division by the
// rewards' deviation or by an answer's own length) as settings. While the weights are those that sampled, r is 1 by
// definition; that the trainer's log-probabilities are then the sampler's, bit for bit, is checked, not assumed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "train/batch_source.h"

namespace fude {

struct PolicyOptions {
  // By what the sum over tokens is divided.
  enum class Normaliser {
    tokens,     // their number in the step (DAPO)
    sequences,  // the answer's own, then the number of answers (GRPO)
    constant,   // answers · the longest answer allowed (Dr. GRPO)
  };
  // By what rewards less the mean of their group are divided.
  enum class Scale {
    none,   // (Dr. GRPO)
    group,  // their deviation in the group (GRPO)
    batch,  // that in the step
  };
  Normaliser normaliser = Normaliser::tokens;
  Scale scale = Scale::none;
  double clip_low = 0.2, clip_high = 0.28;
  double kl = 0;  // of the penalty for leaving the reference
};

// The advantages of the answers of some groups: the reward less the mean of its group, scaled. A group whose rewards
// are all equal has none.
std::vector<double> advantages_of(std::span<const double> rewards, int64_t group_size, PolicyOptions::Scale scale);

// One token that is learned from, in the order of the targets of its block.
struct PolicyToken {
  float advantage = 0, weight = 0;
  float sampled = 0;    // log p of the sampler, in the distribution that is learned
  float reference = 0;  // of the reference, if there is a kl
};

class PolicyObjective {
 public:
  // `is_on_policy`: the weights are those that sampled, and r is 1. [block][row]; rows without a target are not read.
  PolicyObjective(std::vector<std::vector<PolicyToken>> tokens, const PolicyOptions& options, bool is_on_policy);

  // Of one row, given the log-probability that it has now. Rows may be asked by several threads.
  float slope(size_t block, int64_t row, float logprob);

  struct Sums {
    double tokens = 0;
    double loss = 0;         // -J
    double logprob = 0;      // of the tokens now: less its mean is an estimate of the entropy
    double kl = 0;           // r · k3 against the reference
    double clipped = 0;      // tokens whose slope the clip took away
    double ratio_error = 0;  // max |log p - log p of the sampler|
  };
  // Over the rows that were asked.
  Sums sums() const;

 private:
  struct Seen {
    float logprob = 0, kl = 0, loss = 0;
    bool is_clipped = false, is_seen = false;
  };
  std::vector<std::vector<PolicyToken>> tokens_;
  std::vector<std::vector<Seen>> seen_;
  PolicyOptions options_;
  bool is_on_policy_;
};

}  // namespace fude
