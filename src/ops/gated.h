// Gated units (Shazeer, 2020): y[n,f] = a(g[n,f]) · u[n,f], where gate_up_N2F holds g in its first F columns and u in
// the others. SwiGLU: a = silu, silu(g) = g / (1 + e^-g). GeGLU: a = gelu (elementwise.h). f32. y is recomputed where
// backward needs it.
#pragma once

#include "ops/pass.h"

namespace fude {

Tensor silu_gated(const Pass& pass, const Tensor& gate_up_N2F);
Tensor gelu_gated(const Pass& pass, const Tensor& gate_up_N2F);

}  // namespace fude
