// The classifier and its loss in one sweep: logits exist for a chunk of rows at a time and are never stored whole.
//
//   loss[n] = log Σ over v of e^(t·logits[n,v]) - t·logits[n, target[n]],   logits = x · weightᵀ;   0 if target is -1
//
// With gradients given it also adds  Σ over n of slope[n] · d loss[n]/dx  and  …/dweight  to them, chunk by chunk. What
// a row's slope is may depend on its loss: so cross entropy (the same number for every row) and any objective of the
// targets' log-probabilities, such as a clipped policy gradient, are one op. Rows without a target are left out of all
// products. logit_sums is the same arithmetic for logits that are there: (maximum, sum) per 1,024 entries in sixteen
// lanes, merged in order.
#pragma once

#include "ops/pass.h"

namespace fude {

struct ClassifierLossOptions {
  Gradients* gradients = nullptr;    // none: the losses alone
  TargetSlope slope = {};            // needed with gradients
  float inverse_temperature = 1.0f;  // t
};

// The loss of each row, in nats.
std::vector<float> classifier_loss(const Pass& pass, const Tensor& x_NC, const Parameter& weight_VC,
                                   const std::vector<int32_t>& targets_N, const ClassifierLossOptions& options = {});

// Of each row, what tells all of its log-softmax and helps to draw from it, without a second matrix:
//   top = max over v of logits[n,v],   log_sum = log Σ e^(logits[n,:]): logit - log_sum is minus the loss, bit for bit,
//   mass = Σ e^((logits[n,:] - top) · inverse_temperature[n]), within (V / 1024 + 80) · 2⁻²³ of itself.
std::vector<LogitSums> logit_sums(const Pass& pass, const Tensor& logits_NV,
                                  const std::vector<float>& inverse_temperatures_N);

}  // namespace fude
