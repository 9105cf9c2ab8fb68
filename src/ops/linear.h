// y[n,o] = Σ over k of x[n,k] · weight[o,k] (+ bias[o])
//
// Each output is one chain of fused multiply-adds over k, begun at the bias: the same bits for any number of rows,
// threads and any f32 tier. x_NK, y_NO: f32. weight: panels [O, K]; bias: vector [O] or none. A weight in halves (F16
// or BF16 as in its file) is widened exactly and runs the same chain: the bits of its f32 values.
//
// Backward: dx = dy · weight, one chain over o, and dweight = dyᵀ · x. A weight that keeps the format of its file has
// no gradient (Gradients::into says so), but x has: that of the product with what the weight decodes to, with the bits
// of those values in f32.
#pragma once

#include "ops/pass.h"

namespace fude {

// A weight in blocks of integers multiplies as linear_blocks.h says.
Tensor linear(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const Parameter* bias_O = nullptr);
// The product alone, into y_NO, by the kernel for the weight's form.
void multiply(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const Parameter* bias_O, Tensor& y_NO);
// And the gradient of x alone, into its place.
void multiply_backward_input(const Pass& pass, const Tensor& dy_NO, const Parameter& weight_OK, GradientPlace dx_NK);
// Says that this weight is multiplied next: with few rows the product takes as long as the weight comes from memory,
// and threads that wait begin to ask for it. Changes no result.
void expect(const Pass& pass, const Parameter& weight_OK, int64_t rows);

}  // namespace fude
