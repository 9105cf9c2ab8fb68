#include "model/block.h"

#include "ops/attention.h"
#include "ops/elementwise.h"
#include "ops/gated.h"

namespace fude {

void Block::forward(const Pass& pass, Residual& x, const TokenBatch& batch, KvStore& kv, int64_t layer,
                    const ModelConfig& config, const Rotation* rotation) const {
  const QkvRopeOptions options{config.heads,
                               config.kv_heads,
                               config.head_size,
                               q_norm ? &*q_norm : nullptr,
                               k_norm ? &*k_norm : nullptr,
                               float(config.norm_eps),
                               rotation};
  const Qkv heads = qkv_rope(pass, qkv(pass, attention_norm(pass, x)), options, batch.positions_N);
  const Tensor a_NHD = attention(pass, heads.q_NHD, kv.put(layer, heads.k_NGD, heads.v_NGD, batch), batch);
  x.pending_NC = out(pass, a_NHD);
  const Tensor u_NF = up(pass, mlp_norm(pass, x));
  const Tensor f_NF = config.mlp == MlpKind::silu_gated ? silu_gated(pass, u_NF) : gelu(pass, u_NF);
  x.pending_NC = down(pass, f_NF);
}

}  // namespace fude
