#include "ops/attention.h"

#include <cmath>

namespace fude {

Tensor attention(const Pass& pass, const Tensor& q_NHD, const KvView& kv, const TokenBatch& batch,
                 AttentionOptions options) {
  const Shape& q = q_NHD.shape();
  const Shape& k = kv.k.rows_RGD.shape();
  require(q.rank() == 3 && k.rank() == 3 && q[2] == k[2] && q[1] % k[1] == 0,
          "[attention] expected heads that divide and equal head sizes, got q {} and k {}", q, k);
  require(kv.v.rows_RGD.shape() == k && q[0] == batch.size(), "[attention] expected v {} and {} rows of q", k,
          batch.size());
  for (const KvRows* rows : {&kv.k, &kv.v})
    if (rows->rows_RGD.type() == DType::i8) require_shape("attention", "scales", rows->scales_RG, {k[0], k[1]});
  for (const KvRows* rows : {&kv.k, &kv.v})
    require(rows->order == KvOrder::rows || (k[0] % kKeyPage == 0 && pass.tape == nullptr),
            "[attention] expected whole pages, and no tape, got {} rows", k[0]);
  require(kv.v.order != KvOrder::turned_pages, "[attention] expected values that are not turned");
  require(int64_t(kv.first_page.size()) == batch.sequences(), "[attention] expected {} sequences of keys, got {}",
          batch.sequences(), kv.first_page.size());
  require(batch.prefixes.empty() || int64_t(batch.prefixes.size()) == batch.sequences(),
          "[attention] expected prefixes of {} sequences, or none, got {}", batch.sequences(), batch.prefixes.size());
  require(options.scale >= 0 && options.window >= 0,
          "[attention] expected a scale and a window of at least 0, got {} and {}", options.scale, options.window);
  if (options.scale == 0) options.scale = 1 / std::sqrt(float(q[2]));
  Tensor o_NHD = pass.empty(q), lse_NH = pass.tape ? pass.empty({q[0], q[1]}) : Tensor();
  pass.kernels.attention(pass.threads(), q_NHD, kv, batch, options, o_NHD, lse_NH);
  pass.on_backward([&pass, &batch, options, q_NHD, kv, o_NHD, lse_NH](Gradients& d) {
    const Tensor do_NHD = d.take(o_NHD.id());
    if (do_NHD.is_empty()) return;
    pass.kernels.attention_backward(pass.threads(), do_NHD, q_NHD, kv, batch, options, o_NHD, lse_NH, d.into(q_NHD),
                                    d.into(kv.k.rows_RGD), d.into(kv.v.rows_RGD));
  });
  return o_NHD;
}

}  // namespace fude
