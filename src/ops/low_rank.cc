#include "ops/low_rank.h"

#include "ops/linear.h"

namespace fude {
namespace {

void add_low_rank(const Pass& pass, const Tensor& x_NK, const LowRank& part, Tensor& y_NO) {
  Tensor ax_NR = pass.empty({x_NK.rows(), part.a_RK.rows()});
  multiply(pass, x_NK, part.a_RK, nullptr, ax_NR);
  Tensor delta_NS = pass.empty({x_NK.rows(), part.b_OR.rows()});
  multiply(pass, ax_NR, part.b_OR, nullptr, delta_NS);
  pass.kernels.add_scaled(pass.threads(), delta_NS, part.scale, part.first, y_NO);
}

}  // namespace

void add_adapters(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const TokenBatch& batch,
                  Tensor& y_NO) {
  if (batch.adapters.empty()) return;
  require(pass.tape == nullptr, "[low_rank] {}: adapters have no gradient yet; expected a pass without a tape",
          weight_OK.name());
  for (const AdapterRows& rows : batch.adapters) {
    require(rows.first >= 0 && rows.count >= 0 && rows.first + rows.count <= x_NK.rows(),
            "[low_rank] expected rows of a batch of {}, got {} from {} on", x_NK.rows(), rows.count, rows.first);
    const auto parts = rows.adapter->parts.find(&weight_OK);
    if (parts == rows.adapter->parts.end() || rows.count == 0) continue;
    const Tensor some_x_NK = x_NK.slice_rows(rows.first, rows.count);
    Tensor some_y_NO = y_NO.slice_rows(rows.first, rows.count);
    for (const LowRank& part : parts->second) add_low_rank(pass, some_x_NK, part, some_y_NO);
  }
}

}  // namespace fude
