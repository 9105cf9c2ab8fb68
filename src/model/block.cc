#include "model/block.h"

#include "ops/elementwise.h"
#include "ops/gated.h"

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

Tensor normalised(const Pass& pass, const std::optional<Norm>& norm, Tensor x_NC) {
  if (!norm) return x_NC;
  Residual x{std::move(x_NC)};
  return (*norm)(pass, x);
}

}  // namespace

void Block::forward(const Pass& pass, Residual& x, const TokenBatch& batch, KvStore& kv, int64_t layer,
                    const ModelConfig& config, const Rotation* rotation) const {
  const QkvRopeOptions options{config.heads,
                               config.kv_heads,
                               config.head_size,
                               q_norm ? &*q_norm : nullptr,
                               k_norm ? &*k_norm : nullptr,
                               float(config.norm_eps),
                               rotation};
  const Qkv heads = qkv_rope(pass, qkv(pass, attention_norm(pass, x), batch), options, batch.positions_N);
  const Tensor a_NHD =
      fude::attention(pass, heads.q_NHD, kv.put(layer, heads.k_NGD, heads.v_NGD, batch), batch, attention);
  x.pending_NC = normalised(pass, post_attention_norm, out(pass, a_NHD, batch));
  const Tensor f_NF = activation(pass, config.mlp, up(pass, mlp_norm(pass, x), batch));
  x.pending_NC = normalised(pass, post_mlp_norm, down(pass, f_NF, batch));
}

}  // namespace fude
