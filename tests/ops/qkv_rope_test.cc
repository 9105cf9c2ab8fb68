#include "ops/qkv_rope.h"

#include "autograd/closure_tape.h"
#include "autograd/gradient_store.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

constexpr float kQkNormEpsilon = 1e-6f;

std::vector<double> frequencies(int64_t head_size, double base = 10000) {
  std::vector<double> all;
  for (int64_t i = 0; i < head_size; i += 2) all.push_back(std::pow(base, -double(i) / double(head_size)));
  return all;
}

OpCase qkv_case(int64_t rows, int64_t heads, int64_t kv_heads, int64_t d, bool with_norm, bool with_rotation) {
  OpCase op{.name = fmt::format("qkv_rope {} rows, {}/{} heads of {}, norm {}, rotation {}", rows, heads, kv_heads, d,
                                with_norm, with_rotation),
            .rows = rows,
            .input_cols = {(heads + 2 * kv_heads) * d}};
  if (with_norm) op.parameters = {vector_of(d), vector_of(d)};
  const auto rotation = std::make_shared<Rotation>(rows + 50, frequencies(d));
  std::vector<int32_t> positions;
  for (int64_t n = 0; n < rows; ++n) positions.push_back(int32_t((n * 7 + 3) % (rows + 50)));
  op.run = [=](const Pass& pass, const auto& x, const auto& p, const auto& which) {
    std::vector<int32_t> chosen;
    for (int64_t row : which) chosen.push_back(positions[size_t(row)]);
    const Qkv all = qkv_rope(pass, x[0],
                             {heads, kv_heads, d, with_norm ? &p[0] : nullptr, with_norm ? &p[1] : nullptr,
                              kQkNormEpsilon, with_rotation ? rotation.get() : nullptr},
                             chosen);
    return std::vector<Tensor>{all.q_NHD, all.k_NGD, all.v_NGD};
  };
  op.reference = [=](const auto& x, const auto& p) {
    std::vector<Array> outputs(3);
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t head = 0; head < heads + 2 * kv_heads; ++head) {
        const size_t kind = head < heads ? 0 : head < heads + kv_heads ? 1 : 2;
        Array from(x[0].begin() + (n * (heads + 2 * kv_heads) + head) * d,
                   x[0].begin() + (n * (heads + 2 * kv_heads) + head + 1) * d);
        if (with_norm && kind < 2) {
          Complex squares = 0;
          for (Complex v : from) squares += v * v;
          const Complex root = std::sqrt(squares / double(d) + double(kQkNormEpsilon));
          for (int64_t i = 0; i < d; ++i) from[size_t(i)] *= p[kind][size_t(i)] / root;
        }
        Array to = from;
        if (with_rotation && kind < 2)
          for (int64_t i = 0; i < d / 2; ++i) {
            const size_t low = size_t(i), high = size_t(i + d / 2);
            const float* cosines = rotation->of(positions[size_t(n)]);
            const double c = cosines[low], s = cosines[high];
            to[low] = from[low] * c - from[high] * s;
            to[high] = from[high] * c + from[low] * s;
          }
        outputs[kind].insert(outputs[kind].end(), to.begin(), to.end());
      }
    return outputs;
  };
  // A head's sum, norm and turn; the norm's gradient is a chain over rows and heads.
  op.rounding_terms = double(std::max(d / 16 + 4, rows * heads)) + 14;
  return op;
}

TEST(QkvRope, NormsRotationsAndGroups) {
  for (int64_t d : {2, 16, 24, 64})
    for (bool with_norm : {false, true})
      for (bool with_rotation : {false, true}) {
        check_op(qkv_case(1, 1, 1, d, with_norm, with_rotation));
        check_op(qkv_case(9, 4, 2, d, with_norm, with_rotation));
      }
  check_op(qkv_case(150, 3, 1, 6, true, true));
}

// The gradient of what nothing depends on is zero.
TEST(QkvRope, GoesBackFromSomeOfItsOutputs) {
  const int64_t rows = 3, heads = 2, kv_heads = 1, d = 4, width = (heads + 2 * kv_heads) * d;
  const Rotation rotation(8, frequencies(d));
  for (size_t only : {0, 1, 2}) {
    GuardedDevice device(1);
    ClosureTape tape;
    GradientStore gradients(device);
    const Pass pass{device, default_kernels(), &tape};
    const Tensor qkv = tensor_of(device, {rows, width}, random_floats(rows * width, 1));
    const Qkv all =
        qkv_rope(pass, qkv, {.heads = heads, .kv_heads = kv_heads, .head_size = d, .rotation = &rotation}, {0, 1, 2});
    const Tensor output = only == 0 ? all.q_NHD : only == 1 ? all.k_NGD : all.v_NGD;
    Tensor gradient = gradients.into(output).tensor;
    std::fill_n(gradient.data<float>(), gradient.size(), 1.0f);
    tape.backward(gradients);
    const auto dqkv = floats_of(gradients.take(qkv.id()));
    for (int64_t i = 0; i < rows * width; ++i) {
      const size_t kind = i % width < heads * d ? 0 : i % width < (heads + kv_heads) * d ? 1 : 2;
      ASSERT_EQ(dqkv[size_t(i)] != 0.0f, kind == only) << i;
    }
  }
}

TEST(QkvRope, Speed) {
  time_op(qkv_case(2048, 12, 12, 64, false, false));
  time_op(qkv_case(2048, 16, 8, 128, true, true));
}

TEST(QkvRope, RotationIsTheExactAngleRounded) {
  const Rotation rotation(5000, frequencies(64, 1e6));
  for (int32_t p : {0, 1, 777, 4999})
    for (int64_t i = 0; i < 32; ++i) {
      const double angle = double(p) * std::pow(1e6, -double(i) / 32);
      EXPECT_EQ(rotation.of(p)[i], float(std::cos(angle)));
      EXPECT_EQ(rotation.of(p)[32 + i], float(std::sin(angle)));
    }
}

TEST(QkvRope, RefusesARotationOfAnotherSize) {
  Device device(1);
  const Rotation rotation(8, frequencies(4));
  const Tensor qkv = tensor_of(device, {1, 24}, random_floats(24, 1));
  EXPECT_THROW(qkv_rope({device, default_kernels()}, qkv,
                        {.heads = 1, .kv_heads = 1, .head_size = 8, .rotation = &rotation}, {0}),
               Error);
}

TEST(QkvRope, RefusesPositionsBeyondTheContext) {
  Device device(1);
  const Rotation rotation(8, frequencies(4));
  const Pass pass{device, default_kernels()};
  const Tensor qkv = tensor_of(device, {1, 12}, random_floats(12, 1));
  const QkvRopeOptions options{.heads = 1, .kv_heads = 1, .head_size = 4, .rotation = &rotation};
  EXPECT_NO_THROW(qkv_rope(pass, qkv, options, {7}));
  EXPECT_THROW(qkv_rope(pass, qkv, options, {8}), Error);
  EXPECT_THROW(qkv_rope(pass, qkv, options, {-1}), Error);
}

}  // namespace
}  // namespace fude
