#include "ops/elementwise.h"

#include "autograd/closure_tape.h"
#include "ops/gated.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

OpCase add_case(int64_t rows, int64_t cols) {
  return {.name = fmt::format("add {}x{}", rows, cols),
          .rows = rows,
          .input_cols = {cols, cols},
          .run = [](const Pass& pass, const auto& x, const auto&,
                    const auto&) { return std::vector<Tensor>{add(pass, x[0], x[1])}; },
          .reference =
              [](const auto& x, const auto&) {
                Array y = x[0];
                for (size_t i = 0; i < y.size(); ++i) y[i] += x[1][i];
                return std::vector<Array>{y};
              },
          .rounding_terms = 1};
}

Complex gelu_of(Complex v) { return v * 0.5 * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (v + 0.044715 * v * v * v))); }

OpCase gelu_case(int64_t rows, int64_t cols) {
  return {.name = fmt::format("gelu {}x{}", rows, cols),
          .rows = rows,
          .input_cols = {cols},
          .run = [](const Pass& pass, const auto& x, const auto&,
                    const auto&) { return std::vector<Tensor>{gelu(pass, x[0])}; },
          .reference =
              [](const auto& x, const auto&) {
                Array y = x[0];
                for (Complex& v : y) v = gelu_of(v);
                return std::vector<Array>{y};
              },
          // sigmoid's argument (5), sigmoid (6, with its exp), slope (6).
          .rounding_terms = 17};
}

OpCase gelu_gated_case(int64_t rows, int64_t cols) {
  return {.name = fmt::format("gelu_gated {}x{}", rows, cols),
          .rows = rows,
          .input_cols = {2 * cols},
          .run = [](const Pass& pass, const auto& x, const auto&,
                    const auto&) { return std::vector<Tensor>{gelu_gated(pass, x[0])}; },
          .reference =
              [=](const auto& x, const auto&) {
                Array y;
                for (int64_t n = 0; n < rows; ++n)
                  for (int64_t f = 0; f < cols; ++f) {
                    const Complex g = x[0][size_t(n * 2 * cols + f)], u = x[0][size_t(n * 2 * cols + cols + f)];
                    y.push_back(gelu_of(g) * u);
                  }
                return std::vector<Array>{y};
              },
          // as gelu, and the product
          .rounding_terms = 18};
}

OpCase silu_gated_case(int64_t rows, int64_t cols) {
  return {.name = fmt::format("silu_gated {}x{}", rows, cols),
          .rows = rows,
          .input_cols = {2 * cols},
          .run = [](const Pass& pass, const auto& x, const auto&,
                    const auto&) { return std::vector<Tensor>{silu_gated(pass, x[0])}; },
          .reference =
              [=](const auto& x, const auto&) {
                Array y;
                for (int64_t n = 0; n < rows; ++n)
                  for (int64_t f = 0; f < cols; ++f) {
                    const Complex g = x[0][size_t(n * 2 * cols + f)], u = x[0][size_t(n * 2 * cols + cols + f)];
                    y.push_back(g / (1.0 + std::exp(-g)) * u);
                  }
                return std::vector<Array>{y};
              },
          // sigmoid (6, with its exp), slope (5).
          .rounding_terms = 11};
}

TEST(Elementwise, Add) {
  for (int64_t cols : {1, 15, 16, 100}) check_op(add_case(7, cols));
}

TEST(Elementwise, AddOfATensorToItself) {
  check_op({.name = "x + x",
            .rows = 3,
            .input_cols = {21},
            .run = [](const Pass& pass, const auto& x, const auto&,
                      const auto&) { return std::vector<Tensor>{add(pass, x[0], x[0])}; },
            .reference =
                [](const auto& x, const auto&) {
                  Array y = x[0];
                  for (Complex& v : y) v += v;
                  return std::vector<Array>{y};
                },
            .rounding_terms = 1});
}

TEST(Elementwise, Gelu) {
  for (int64_t cols : {1, 15, 16, 100, 6000}) check_op(gelu_case(7, cols));
}

TEST(Elementwise, SiluGated) {
  for (int64_t cols : {1, 15, 16, 100}) check_op(silu_gated_case(9, cols)), check_op(gelu_gated_case(9, cols));
}

TEST(Elementwise, Speed) {
  time_op(add_case(2048, 768));
  time_op(gelu_case(2048, 3072));
  time_op(silu_gated_case(2048, 3072));
}

// Far from zero gelu is x or nothing, and its slope 1 or 0.
TEST(Elementwise, GeluFarFromZero) {
  const std::vector<float> x = {1e3f, -1e3f, 1e13f, -1e13f, 2e19f, -2e19f, 3e38f, -3e38f, 50.0f, -50.0f};
  for (Tier tier : supported_tiers()) {
    GuardedDevice device(1);
    const int64_t count = int64_t(x.size());
    ClosureTape tape;
    GradientStore gradients(device);
    const Tensor input = tensor_of(device, {1, count}, x);
    const Pass pass{device, kernels_of(tier), &tape};
    const Tensor y = gelu(pass, input);
    std::fill_n(gradients.into(y).tensor.data<float>(), count, 1.0f);
    const auto values = floats_of(y);
    tape.backward(gradients);
    const auto slopes = floats_of(gradients.take(input.id()));
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(slopes[i], x[i] > 0 ? 1.0f : 0.0f, 1e-30) << name_of(tier) << ' ' << x[i];
      EXPECT_EQ(values[i] > 0, x[i] > 0) << name_of(tier) << ' ' << x[i];
    }
  }
}

TEST(Elementwise, AddRefusesWhatDoesNotFit) {
  Device device(1);
  const Pass pass{device, default_kernels()};
  EXPECT_THROW(add(pass, Tensor(device, {2, 3}, DType::f32), Tensor()), Error);
  EXPECT_THROW(add(pass, Tensor(device, {2, 3}, DType::f32), Tensor(device, {3, 2}, DType::f32)), Error);
}

}  // namespace
}  // namespace fude
