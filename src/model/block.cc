#include "model/block.h"

#include <utility>

#include "ops/elementwise.h"
#include "ops/gated.h"
#include "ops/gated_mlp.h"

namespace fude {
namespace {

Tensor activation(const Pass& pass, MlpKind kind, const Tensor& u_NF) {
  switch (kind) {
    case MlpKind::silu_gated:
      return silu_gated(pass, u_NF);
    case MlpKind::gelu_gated:
      return gelu_gated(pass, u_NF);
    case MlpKind::gelu:
      break;
  }
  return gelu(pass, u_NF);
}

// down(activation(up(x))), for weights in blocks that nothing is added to in one op.
Tensor mlp(const Pass& pass, MlpKind kind, const Linear& up, const Linear& down, const Tensor& x_NC,
           const TokenBatch& batch) {
  const bool is_plain = pass.tape == nullptr && batch.adapters.empty() && !up.bias && !down.bias;
  if (kind != MlpKind::gelu && is_plain && has_gated_mlp(up.weight, down.weight))
    return (kind == MlpKind::silu_gated ? silu_gated_mlp : gelu_gated_mlp)(pass, x_NC, up.weight, down.weight);
  return down(pass, activation(pass, kind, up(pass, x_NC, batch)), batch);
}

Tensor normalised(const Pass& pass, const std::optional<Norm>& norm, Tensor x_NC) {
  if (!norm) return x_NC;
  Residual x{std::move(x_NC)};
  return (*norm)(pass, x);
}

}  // namespace

void Block::forward(const Pass& pass, Residual& x, const TokenBatch& all, KvStore& kv, int64_t layer,
                    const ModelConfig& config, const Rotation* rotation, const LastRows* last) const {
  const QkvRopeOptions options{config.heads,
                               config.kv_heads,
                               config.head_size,
                               q_norm ? &*q_norm : nullptr,
                               k_norm ? &*k_norm : nullptr,
                               float(config.norm_eps),
                               rotation};
  Qkv heads = [&] {
    const Tensor qkv_NE = qkv(pass, attention_norm(pass, x), all);
    expect(pass, out.weight, all.size());
    return qkv_rope(pass, qkv_NE, options, all.positions_N);
  }();
  KvView view = kv.put(layer, heads.k_NGD, heads.v_NGD, all);
  if (last) {
    if (last->batch().size() == 0) return;
    x.sum_NC = last->of(pass, x.sum_NC), heads.q_NHD = last->of(pass, heads.q_NHD);
    view = last->of(std::move(view));
  }
  const TokenBatch& batch = last ? last->batch() : all;
  const Tensor a_NHD = fude::attention(pass, heads.q_NHD, view, batch, attention);
  Tensor o_NC = out(pass, a_NHD, batch);
  expect(pass, up.weight, batch.size());
  x.pending_NC = normalised(pass, post_attention_norm, std::move(o_NC));
  const Tensor h_NC = mlp_norm(pass, x);
  x.pending_NC = normalised(pass, post_mlp_norm, mlp(pass, config.mlp, up, down, h_NC, batch));
}

}  // namespace fude
