// Root-mean-square normalisation of the rows of a residual stream (Zhang & Sennrich, 2019).
//
//   x[n,c] += pending[n,c], if something is pending
//   y[n,c] = x[n,c] · r[n] · weight[c],   r[n] = 1 / √(mean over c of x[n,c]² + eps)
//
// x, y: f32. Sums in sixteen lanes, fixed tree.
#pragma once

#include "ops/residual.h"

namespace fude {

Tensor rms_norm(const Pass& pass, Residual& x, const Parameter& weight_C, float eps);

}  // namespace fude
