// SwiGLU (Shazeer, 2020): y[n,f] = silu(g[n,f]) · u[n,f],   silu(g) = g / (1 + e^-g)
//
// gate_up_N2F holds g in its first F columns and u in the others. f32. y is recomputed where backward needs it.
#pragma once

#include "ops/pass.h"

namespace fude {

Tensor silu_gated(const Pass& pass, const Tensor& gate_up_N2F);

}  // namespace fude
