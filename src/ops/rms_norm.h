// Root-mean-square normalisation of each row (Zhang & Sennrich, 2019).
//
//   y[n,c] = x[n,c] · r[n] · weight[c],   r[n] = 1 / √(mean over c of x[n,c]² + eps)
//
// x, y: f32. Sums in sixteen lanes, fixed tree.
#pragma once

#include "ops/pass.h"

namespace fude {

Tensor rms_norm(const Pass& pass, const Tensor& x_NC, const Parameter& weight_C, float eps);

}  // namespace fude
