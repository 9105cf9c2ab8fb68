#include "ops/kv_rows.h"

namespace fude {

void put_kv_rows(Threads& threads, const Kernels& kernels, const Tensor& x_NGD, const std::vector<int64_t>& rows_N,
                 const KvRows& to) {
  const Shape &x = x_NGD.shape(), &rows = to.rows_RGD.shape();
  require(x.rank() == 3 && rows.rank() == 3 && x[1] == rows[1] && x[2] == rows[2] && x[0] == int64_t(rows_N.size()),
          "[put_kv_rows] expected rows like {}, one for each of {}, got {}", rows, rows_N.size(), x);
  if (to.rows_RGD.type() == DType::i8) require_shape("put_kv_rows", "scales", to.scales_RG, {rows[0], rows[1]});
  require(to.order == KvOrder::rows || rows[0] % kKeyPage == 0, "[put_kv_rows] expected whole pages, got {} rows",
          rows[0]);
  for (int64_t row : rows_N)
    require(row >= 0 && row < rows[0], "[put_kv_rows] expected rows from 0 to {}, got {}", rows[0] - 1, row);
  kernels.put_kv_rows(threads, x_NGD, rows_N, to);
}

}  // namespace fude
