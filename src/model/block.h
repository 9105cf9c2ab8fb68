// The pre-norm Transformer block, the same for training and for serving:
//
//   x += out(attention(qkv(norm(x))));   x += down(activation(up(norm(x))))
//
// Some families put a second norm behind `out` and `down`.
#pragma once

#include "model/config.h"
#include "model/kv_store.h"
#include "model/last_rows.h"
#include "model/layers/linear.h"
#include "model/layers/norm.h"
#include "ops/attention.h"
#include "ops/qkv_rope.h"

namespace fude {

struct Block {
  Norm attention_norm, mlp_norm;
  Linear qkv, out, up, down;  // up: gate and up stacked when gated
  std::optional<Parameter> q_norm, k_norm;
  std::optional<Norm> post_attention_norm, post_mlp_norm;
  AttentionOptions attention;

  // Leaves the MLP's output pending. With `last`, x becomes that of these rows alone, and nothing
  // happens to it if there are none.
  void forward(const Pass& pass, Residual& x, const TokenBatch& batch, KvStore& kv, int64_t layer,
               const ModelConfig& config, const Rotation* rotation, const LastRows* last = nullptr) const;
};

}  // namespace fude
