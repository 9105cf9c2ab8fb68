// linear with a weight in blocks of integers (tensor/block_panels.h).
//
// A row's activations are made integers too, by units of 32 columns: x ≈ a · q, a = max |x| / 127, q from -127 to 127:
// x · (127 / max |x|), rounded to nearest even. A unit with max |x| below 1e-30 is zero, one with anything infinite or
// NaN is NaN. Products of integers are summed exactly; f32 sums are one chain over the units:
//
//   y[n,o] = bias[o] + Σ over units:  (Σ (level - middle) · q) · (scale[o] · a[n]) + low[o] · (a[n] · Σ q)
//
// (level, scale, low as the format says; Q6_K has two links a unit). The same bits in every tier, for any number of
// rows and threads. Backward takes what is rounded here as if it were not: linear.h.
#pragma once

#include "ops/kernels.h"
