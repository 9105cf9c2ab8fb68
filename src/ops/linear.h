// y[n,o] = Σ over k of x[n,k] · weight[o,k] (+ bias[o])
//
// Each output is one chain of fused multiply-adds over k, begun at the bias: the same bits for any number of rows,
// threads and any f32 tier. x_NK, y_NO: f32. weight: panels [O, K]; bias: vector [O] or none.
#pragma once

#include "ops/pass.h"

namespace fude {

// A weight in blocks of integers multiplies as linear_blocks.h says.
Tensor linear(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const Parameter* bias_O = nullptr);
// The product alone, into y_NO, by the kernel for the weight's form.
void multiply(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const Parameter* bias_O, Tensor& y_NO);

}  // namespace fude
