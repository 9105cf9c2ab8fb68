#include "ops/low_rank.h"

#include "ops/embedding.h"
#include "ops/linear.h"

namespace fude {
namespace {

// d(A x), and dB if it is trained.
Tensor back_to_ax(const Pass& pass, const LowRankRows& part, const Tensor& dy_NO, Gradients& d) {
  Tensor ddelta_NS = pass.empty({part.count, part.b->rows()}), dax_NR = pass.empty(part.ax_NR.shape());
  pass.kernels.take_scaled(pass.threads(), dy_NO.slice_rows(part.row, part.count), part.scale, part.first, ddelta_NS);
  if (d.wants(*part.b))
    pass.kernels.linear_backward_weight(pass.threads(), ddelta_NS, part.ax_NR, DType::f32, d.into(*part.b));
  multiply_backward_input(pass, ddelta_NS, *part.b, {dax_NR});
  return dax_NR;
}

// Calls `add` for the rows of each adapter.
template <class Add>
void for_adapters(const std::vector<AdapterRows>& adapters, const Tensor& y_NO, const Add& add) {
  for (const AdapterRows& rows : adapters) {
    require(rows.first >= 0 && rows.count >= 0 && rows.first + rows.count <= y_NO.rows(),
            "[low_rank] expected rows of a batch of {}, got {} from {} on", y_NO.rows(), rows.count, rows.first);
    if (rows.count > 0) add(rows);
  }
}

}  // namespace

void add_adapters(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK,
                  const std::vector<AdapterRows>& adapters, Tensor& y_NO) {
  std::vector<LowRankRows> added;
  for_adapters(adapters, y_NO, [&](const AdapterRows& rows) {
    const auto parts = rows.adapter->parts.find(&weight_OK);
    if (parts == rows.adapter->parts.end()) return;
    for (const LowRank& part : parts->second)
      added.push_back({rows.first, rows.count, part.first, &part.a_RK, &part.b_OR, part.scale,
                       pass.tape == nullptr ? Tensor() : pass.empty({rows.count, part.a_RK.rows()})});
  });
  if (added.empty()) return;
  pass.kernels.add_low_rank(pass.threads(), x_NK, added, y_NO);
  if (pass.tape == nullptr) return;
  pass.on_backward([&pass, added = std::move(added), keep_x = pass.keep(x_NK), x = x_NK.id(), x_shape = x_NK.shape(),
                    y = y_NO.id()](Gradients& d) {
    const Tensor dy_NO = d.of(y);  // stays for the product that this was added to
    if (dy_NO.is_empty()) return;
    const Tensor x_NK = keep_x();
    GradientPlace dx_NK = d.into(x, x_shape);
    if (!dx_NK.add) fill_zero(dx_NK.tensor);  // for rows without an adapter
    for (const LowRankRows& part : added) {
      const auto rows_of = [&](const Tensor& x) { return x.slice_rows(part.row, part.count); };
      const Tensor dax_NR = back_to_ax(pass, part, dy_NO, d);
      if (d.wants(*part.a))
        pass.kernels.linear_backward_weight(pass.threads(), dax_NR, rows_of(x_NK), DType::f32, d.into(*part.a));
      multiply_backward_input(pass, dax_NR, *part.a, {rows_of(dx_NK.tensor), true});
    }
  });
}

void add_adapters(const Pass& pass, const std::vector<int32_t>& rows_N, const Parameter& table_VC, float scale,
                  const std::vector<AdapterRows>& adapters, Tensor& x_NC) {
  const auto some_rows = [](const std::vector<int32_t>& rows_N, const LowRankRows& part) {
    const auto first = rows_N.begin() + part.row;
    return std::vector<int32_t>(first, first + part.count);
  };
  Pass forward = pass;
  forward.tape = nullptr;
  std::vector<const Parameter*> tables;
  std::vector<LowRankRows> added;
  for_adapters(adapters, x_NC, [&](const AdapterRows& rows) {
    const auto part = rows.adapter->tables.find(&table_VC);
    if (part == rows.adapter->tables.end()) return;
    const LowRankTable& table = part->second;
    LowRankRows& now =
        added.emplace_back(LowRankRows{rows.first, rows.count, 0, nullptr, &table.b_CR, table.scale * scale, Tensor()});
    now.ax_NR = embedding(forward, some_rows(rows_N, now), table.a_VR);
    tables.push_back(&table.a_VR);
  });
  if (added.empty()) return;
  pass.kernels.add_low_rank(pass.threads(), Tensor(), added, x_NC);
  if (pass.tape == nullptr) return;
  pass.on_backward([&pass, added = std::move(added), tables, rows_N, some_rows, x = x_NC.id()](Gradients& d) {
    const Tensor dx_NC = d.of(x);
    if (dx_NC.is_empty()) return;
    for (size_t i = 0; i < added.size(); ++i) {
      const Tensor dax_NR = back_to_ax(pass, added[i], dx_NC, d);
      if (d.wants(*tables[i]))
        pass.kernels.embedding_backward(pass.threads(), dax_NR, some_rows(rows_N, added[i]), 1, d.into(*tables[i]));
    }
  });
}

}  // namespace fude
