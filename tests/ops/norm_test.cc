#include "ops/layer_norm.h"
#include "ops/rms_norm.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

constexpr double kEps = 1e-5;

OpCase norm_case(int64_t rows, int64_t cols, bool centred) {
  OpCase op{.name = fmt::format("{} {}x{}", centred ? "layer_norm" : "rms_norm", rows, cols),
            .rows = rows,
            .input_cols = {cols},
            .parameters = {vector_of(cols)}};
  if (centred) op.parameters.push_back(vector_of(cols));
  op.run = [](const Pass& pass, const auto& x, const auto& p, const auto&) {
    return std::vector<Tensor>{p.size() > 1 ? layer_norm(pass, x[0], p[0], p[1], float(kEps))
                                            : rms_norm(pass, x[0], p[0], float(kEps))};
  };
  op.reference = [=](const auto& x, const auto& p) {
    Array y(x[0].size());
    for (int64_t n = 0; n < rows; ++n) {
      const Complex* from = x[0].data() + n * cols;
      Complex mean = 0, squares = 0;
      if (centred)
        for (int64_t c = 0; c < cols; ++c) mean += from[c] / double(cols);
      for (int64_t c = 0; c < cols; ++c) squares += (from[c] - mean) * (from[c] - mean);
      const Complex root = std::sqrt(squares / double(cols) + double(float(kEps)));
      for (int64_t c = 0; c < cols; ++c)
        y[size_t(n * cols + c)] = (from[c] - mean) / root * p[0][size_t(c)] + (centred ? p[1][size_t(c)] : 0.0);
    }
    return std::vector<Array>{y};
  };
  // Sums: cols/16 terms and a tree of four; the weight's gradient is a chain over the rows.
  op.rounding_terms = double(std::max(cols / 16 + 4, rows)) + 12;
  return op;
}

TEST(Norm, Rms) {
  for (int64_t rows : {1, 5, 130})
    for (int64_t cols : {3, 16, 31, 64, 100}) check_op(norm_case(rows, cols, false));
}

TEST(Norm, Layer) {
  for (int64_t rows : {1, 5, 130})
    for (int64_t cols : {3, 16, 31, 64, 100}) check_op(norm_case(rows, cols, true));
}

}  // namespace
}  // namespace fude
