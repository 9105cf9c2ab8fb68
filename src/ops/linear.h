// y[n,o] = Σ over k of x[n,k] · weight[o,k] (+ bias[o])
//
// Each output is one chain of fused multiply-adds over k, begun at the bias: the same bits for any number of rows,
// threads and any f32 tier. x_NK, y_NO: f32. weight: panels [O, K]; bias: vector [O] or none. A weight in halves (F16
// or BF16 as in its file) is widened exactly and runs the same chain: the bits of its f32 values.
#pragma once

#include "ops/pass.h"

namespace fude {

// A weight in blocks of integers multiplies as linear_blocks.h says. Error if a tape is there and the weight keeps the
// format of its file: it has no gradient.
Tensor linear(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const Parameter* bias_O = nullptr);
// The product alone, into y_NO, by the kernel for the weight's form.
void multiply(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const Parameter* bias_O, Tensor& y_NO);

}  // namespace fude
