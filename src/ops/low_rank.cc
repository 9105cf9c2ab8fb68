#include "ops/low_rank.h"

#include "ops/embedding.h"
#include "ops/linear.h"

namespace fude {
namespace {

// y += scale · ax · bᵀ
void add_product(const Pass& pass, const Tensor& ax_NR, const Parameter& b_OR, float scale, int64_t first,
                 Tensor& y_NO) {
  Tensor delta_NS = pass.empty({ax_NR.rows(), b_OR.rows()});
  multiply(pass, ax_NR, b_OR, nullptr, delta_NS);
  pass.kernels.add_scaled(pass.threads(), delta_NS, scale, first, y_NO);
}

// Calls `add(rows, y)` for the rows of each adapter.
template <class Add>
void for_adapters(const Pass& pass, const Parameter& weight, const std::vector<AdapterRows>& adapters, Tensor& y_NO,
                  const Add& add) {
  if (adapters.empty()) return;
  require(pass.tape == nullptr, "[low_rank] {}: adapters have no gradient yet; expected a pass without a tape",
          weight.name());
  for (const AdapterRows& rows : adapters) {
    require(rows.first >= 0 && rows.count >= 0 && rows.first + rows.count <= y_NO.rows(),
            "[low_rank] expected rows of a batch of {}, got {} from {} on", y_NO.rows(), rows.count, rows.first);
    if (rows.count == 0) continue;
    Tensor some_y_NO = y_NO.slice_rows(rows.first, rows.count);
    add(rows, some_y_NO);
  }
}

}  // namespace

void add_adapters(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK,
                  const std::vector<AdapterRows>& adapters, Tensor& y_NO) {
  for_adapters(pass, weight_OK, adapters, y_NO, [&](const AdapterRows& rows, Tensor& some_y_NO) {
    const auto parts = rows.adapter->parts.find(&weight_OK);
    if (parts == rows.adapter->parts.end()) return;
    const Tensor some_x_NK = x_NK.slice_rows(rows.first, rows.count);
    for (const LowRank& part : parts->second) {
      Tensor ax_NR = pass.empty({rows.count, part.a_RK.rows()});
      multiply(pass, some_x_NK, part.a_RK, nullptr, ax_NR);
      add_product(pass, ax_NR, part.b_OR, part.scale, part.first, some_y_NO);
    }
  });
}

void add_adapters(const Pass& pass, const std::vector<int32_t>& rows_N, const Parameter& table_VC, float scale,
                  const std::vector<AdapterRows>& adapters, Tensor& x_NC) {
  for_adapters(pass, table_VC, adapters, x_NC, [&](const AdapterRows& rows, Tensor& some_x_NC) {
    const auto part = rows.adapter->tables.find(&table_VC);
    if (part == rows.adapter->tables.end()) return;
    const auto first = rows_N.begin() + rows.first;
    const Tensor ax_NR = embedding(pass, {first, first + rows.count}, part->second.a_VR);
    add_product(pass, ax_NR, part->second.b_CR, part->second.scale * scale, 0, some_x_NC);
  });
}

}  // namespace fude
