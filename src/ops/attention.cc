#include "ops/attention.h"

#include <algorithm>
#include <cmath>

namespace fude {
namespace {

// Whether the positions of every sequence lie in pages, and the pages among the rows.
void require_pages(const KvView& kv, const TokenBatch& batch) {
  const int64_t rows = kv.k.rows_RGD.rows();
  for (int64_t s = 0; s < batch.sequences(); ++s) {
    const int64_t first = batch.sequence_starts[size_t(s)], end = batch.sequence_starts[size_t(s) + 1];
    require(first <= end && end <= batch.size(), "[attention] expected sequences one after the other");
    if (first == end) continue;
    const int64_t keys = int64_t(batch.positions_N[size_t(end) - 1]) + 1, page = kv.first_page[size_t(s)];
    require(page >= 0 && page + pages_for(keys) <= int64_t(kv.page_rows.size()),
            "[attention] expected pages for {} positions, got {} from page {} on", keys, kv.page_rows.size(), page);
    for (int64_t key = 0; key < keys; key += kKeyPage) {
      const int64_t row = kv.page_rows[size_t(page + key / kKeyPage)];
      require(row >= 0 && row + std::min(kKeyPage, keys - key) <= rows, "[attention] expected pages in {} rows, got {}",
              rows, row);
    }
  }
}

// What backward takes for granted.
void require_own_rows(const KvView& kv, const TokenBatch& batch) {
  require(
      kv.k.rows_RGD.type() == DType::f32 && kv.v.rows_RGD.type() == DType::f32 && kv.k.rows_RGD.rows() == batch.size(),
      "[attention] expected the batch's own {} keys and values in f32, with a tape, got {} in {} and {}", batch.size(),
      kv.k.rows_RGD.rows(), name_of(kv.k.rows_RGD.type()), name_of(kv.v.rows_RGD.type()));
  for (int64_t s = 0; s < batch.sequences(); ++s)
    require(batch.prefix_of(s) >= -1 && batch.prefix_of(s) < s,
            "[attention] expected sequence {} to go on from an earlier one, got {}", s, batch.prefix_of(s));
}

}  // namespace

Tensor attention(const Pass& pass, const Tensor& q_NHD, const KvView& kv, const TokenBatch& batch,
                 AttentionOptions options) {
  const Shape& q = q_NHD.shape();
  const Shape& k = kv.k.rows_RGD.shape();
  require(q.rank() == 3 && k.rank() == 3 && q[2] == k[2] && k[1] > 0 && q[1] % k[1] == 0,
          "[attention] expected heads that divide and equal head sizes, got q {} and k {}", q, k);
  require(kv.v.rows_RGD.shape() == k && q[0] == batch.size(), "[attention] expected v {} and {} rows of q", k,
          batch.size());
  require(int64_t(batch.positions_N.size()) == batch.size(), "[attention] expected {} positions, got {}", batch.size(),
          batch.positions_N.size());
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
  require_pages(kv, batch);
  if (pass.tape != nullptr) require_own_rows(kv, batch);
  require(options.scale >= 0 && options.window >= 0 && options.window <= INT32_MAX,
          "[attention] expected a scale of at least 0 and a window of positions, or 0, got {} and {}", options.scale,
          options.window);
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
