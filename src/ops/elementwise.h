// Element-wise ops. All f32; shapes equal.
//   add:  y = a + b
//   gelu: y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))   (Hendrycks & Gimpel, 2016; the tanh form of GPT-2)
#pragma once

#include "ops/pass.h"

namespace fude {

Tensor add(const Pass& pass, const Tensor& a, const Tensor& b);
Tensor gelu(const Pass& pass, const Tensor& x);

}  // namespace fude
