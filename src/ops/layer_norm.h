// Layer normalisation of the rows of a residual stream (Ba et al., 2016).
//
//   x[n,c] += pending[n,c], if something is pending
//   y[n,c] = (x[n,c] - mean[n]) · r[n] · weight[c] + bias[c],   r[n] = 1 / √(variance over c of x[n,c] + eps)
//
// x, y: f32. Two passes (mean, then squares of differences), sums in sixteen lanes, fixed tree.
#pragma once

#include "ops/residual.h"

namespace fude {

Tensor layer_norm(const Pass& pass, Residual& x, const Parameter& weight_C, const Parameter& bias_C, float eps);

}  // namespace fude
