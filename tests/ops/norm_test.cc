#include "ops/elementwise.h"
#include "ops/layer_norm.h"
#include "ops/rms_norm.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

constexpr double kNormEpsilon = 1e-5;

// Parameters: weight, and the bias that makes it LayerNorm.
Tensor norm(const Pass& pass, Residual& x, const std::vector<Parameter>& p) {
  return p.size() > 1 ? layer_norm(pass, x, p[0], p[1], float(kNormEpsilon))
                      : rms_norm(pass, x, p[0], float(kNormEpsilon));
}

Array norm_reference(const Array& x, const std::vector<Array>& p) {
  const size_t cols = p[0].size();
  Array y(x.size());
  for (size_t n = 0; n < x.size() / cols; ++n) {
    const Complex* from = x.data() + n * cols;
    Complex mean = 0, squares = 0;
    if (p.size() > 1)
      for (size_t c = 0; c < cols; ++c) mean += from[c] / double(cols);
    for (size_t c = 0; c < cols; ++c) squares += (from[c] - mean) * (from[c] - mean);
    const Complex root = std::sqrt(squares / double(cols) + double(float(kNormEpsilon)));
    for (size_t c = 0; c < cols; ++c)
      y[n * cols + c] = (from[c] - mean) / root * p[0][c] + (p.size() > 1 ? p[1][c] : 0.0);
  }
  return y;
}

Array sum_of(const Array& a, const Array& b) {
  Array sum = a;
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += b[i];
  return sum;
}

OpCase norm_case(int64_t rows, int64_t cols, bool centred) {
  OpCase op{.name = fmt::format("{} {}x{}", centred ? "layer_norm" : "rms_norm", rows, cols),
            .rows = rows,
            .input_cols = {cols},
            .parameters = {vector_of(cols)}};
  if (centred) op.parameters.push_back(vector_of(cols));
  op.run = [](const Pass& pass, const auto& x, const auto& p, const auto&) {
    Residual stream{x[0]};
    return std::vector<Tensor>{norm(pass, stream, p)};
  };
  op.reference = [](const auto& x, const auto& p) { return std::vector<Array>{norm_reference(x[0], p)}; };
  // Sums: cols/16 terms and a tree of four; the weight's gradient is a chain over the rows.
  op.rounding_terms = double(std::max(cols / 16 + 4, rows)) + 12;
  return op;
}

// What is pending is added first; the sum goes on.
OpCase residual_case(int64_t rows, int64_t cols, bool centred) {
  OpCase op = norm_case(rows, cols, centred);
  op.name += " of a sum";
  op.input_cols = {cols, cols};
  op.run = [](const Pass& pass, const auto& x, const auto& p, const auto&) {
    Residual stream{x[0], x[1]};
    const Tensor y = norm(pass, stream, p);
    EXPECT_TRUE(stream.pending_NC.is_empty());
    return std::vector<Tensor>{stream.sum_NC, y};
  };
  op.reference = [](const auto& x, const auto& p) {
    const Array sum = sum_of(x[0], x[1]);
    return std::vector<Array>{sum, norm_reference(sum, p)};
  };
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

TEST(Norm, OfAResidualSum) {
  for (bool centred : {false, true})
    for (int64_t rows : {1, 70})
      for (int64_t cols : {3, 16, 100}) check_op(residual_case(rows, cols, centred));
}

// The terms of a sum share its gradient. Both are inputs of other ops too, which add to it: neither may see
// the other's.
TEST(Norm, TermsOfASumThatAreUsedElsewhere) {
  OpCase op = residual_case(5, 20, false);
  op.name = "terms used elsewhere";
  op.run = [](const Pass& pass, const auto& x, const auto& p, const auto&) {
    const Tensor before = gelu(pass, x[0]);
    Residual stream{x[0], x[1]};
    const Tensor y = norm(pass, stream, p), after = gelu(pass, x[1]);
    return std::vector<Tensor>{before, stream.sum_NC, y, after};
  };
  op.reference = [](const auto& x, const auto& p) {
    const auto gelu_of = [](Array values) {
      for (Complex& v : values) v = v * 0.5 * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (v + 0.044715 * v * v * v)));
      return values;
    };
    const Array sum = sum_of(x[0], x[1]);
    return std::vector<Array>{gelu_of(x[0]), sum, norm_reference(sum, p), gelu_of(x[1])};
  };
  op.rounding_terms += 17;
  check_op(op);
}

TEST(Norm, Speed) {
  time_op(norm_case(2048, 768, false));
  time_op(norm_case(2048, 768, true));
}

}  // namespace
}  // namespace fude
