// A gated MLP of weights in blocks of integers, as one op: with g and u the two halves of up · x,
//
//   y[n,c] = Σ over f of down[c,f] · (a(g[n,f]) · u[n,f])
//
// The bits of linear (linear_blocks.h), gated (gated.h) and linear again, but what lies between exists a tile at a time
// only: a panel of g and one of u make a unit of activations for `down`, which is packed where it is made. Inference
// alone.
#pragma once

#include "ops/pass.h"

namespace fude {

// Whether both are blocks of one format each, and `up` is two halves of whole panels as wide as `down` is deep.
bool has_gated_mlp(const Parameter& up_2FC, const Parameter& down_CF);
// x_NC → y_NC, f32. Error unless has_gated_mlp, or with a tape.
Tensor silu_gated_mlp(const Pass& pass, const Tensor& x_NC, const Parameter& up_2FC, const Parameter& down_CF);
Tensor gelu_gated_mlp(const Pass& pass, const Tensor& x_NC, const Parameter& up_2FC, const Parameter& down_CF);

}  // namespace fude
