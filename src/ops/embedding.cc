#include "ops/embedding.h"

namespace fude {
namespace {

void check_rows(const std::vector<int32_t>& rows_N, const Parameter& table) {
  for (int32_t row : rows_N)
    require(row >= 0 && row < table.rows(), "[embedding] {}: expected ids below {}, got {}", table.name(), table.rows(),
            row);
}

}  // namespace

Tensor embedding(const Pass& pass, const std::vector<int32_t>& rows_N, const Parameter& table_VC, float scale) {
  check_rows(rows_N, table_VC);
  Tensor x_NC = pass.empty({int64_t(rows_N.size()), table_VC.cols()});
  pass.kernels.embedding(pass.threads(), rows_N, table_VC, scale, x_NC, false);
  pass.on_backward([&pass, rows_N, x = x_NC.id(), &table_VC, scale](Gradients& d) {
    const Tensor dx_NC = d.take(x);
    if (!dx_NC.is_empty() && d.wants(table_VC))
      pass.kernels.embedding_backward(pass.threads(), dx_NC, rows_N, scale, d.into(table_VC));
  });
  return x_NC;
}

void add_embedding(const Pass& pass, const std::vector<int32_t>& rows_N, const Parameter& table_VC, Tensor& x_NC) {
  check_rows(rows_N, table_VC);
  require_shape("add_embedding", "x", x_NC, {int64_t(rows_N.size()), table_VC.cols()});
  pass.kernels.embedding(pass.threads(), rows_N, table_VC, 1, x_NC, true);
  pass.on_backward([&pass, rows_N, x = x_NC.id(), &table_VC](Gradients& d) {
    const Tensor dx_NC = d.of(x);  // stays for the op that made x
    if (!dx_NC.is_empty() && d.wants(table_VC))
      pass.kernels.embedding_backward(pass.threads(), dx_NC, rows_N, 1, d.into(table_VC));
  });
}

}  // namespace fude
