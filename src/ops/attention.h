// Causal attention of a ragged batch over the keys and values of a KvView.
//
//   o[n,h,:] = Σ over visible keys j of softmax_j(scale · q[n,h]·k[j,g]) · v[j,g,:],   g = h / (H/G)
//
// Position n sees the positions up to its own; with a window, only the last `window` of them (a value before it, in the
// block where it begins, takes part times zero).
// Keys form blocks of 256 absolute positions. A block's maximum, sum and output are its own, over its visible keys;
// blocks are merged serially in position order, at every length. Scores are one chain over D per key, sums run in
// sixteen lanes, outputs are one chain over the block's keys: chunked prefill, decode and training give the same bits.
// Backward needs the batch's own keys and values (training), in f32: what a sequence sees is its own rows, and before
// them its prefix's.
#pragma once

#include "ops/pass.h"

namespace fude {

// `scale`: 0 stands for 1/√D. With a tape `batch` must outlive its backward.
Tensor attention(const Pass& pass, const Tensor& q_NHD, const KvView& kv, const TokenBatch& batch,
                 AttentionOptions options = {});

}  // namespace fude
