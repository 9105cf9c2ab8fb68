// Layer normalisation of each row (Ba et al., 2016).
//
//   y[n,c] = (x[n,c] - mean[n]) · r[n] · weight[c] + bias[c],   r[n] = 1 / √(variance over c of x[n,c] + eps)
//
// x, y: f32. Two passes (mean, then squares of differences), sums in sixteen lanes, fixed tree.
#pragma once

#include "ops/pass.h"

namespace fude {

Tensor layer_norm(const Pass& pass, const Tensor& x_NC, const Parameter& weight_C, const Parameter& bias_C, float eps);

}  // namespace fude
