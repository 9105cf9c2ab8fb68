// How much a scorer's verdict and an answer's likelihood count in its score: a logistic regression on answers that the
// scorer has not learned from.
#pragma once

#include <vector>

#include "reason/scorer.h"

namespace fude {

struct MixSample {
  double verdict = 0, logprob = 0;
  bool is_right = false;
};

// The most likely numbers under a normal prior of deviation 10 around 0, which keeps them finite where the samples can
// be told apart without a mistake, or are all of one kind. Error without samples.
ScoreMix fit_score_mix(const std::vector<MixSample>& samples);

}  // namespace fude
