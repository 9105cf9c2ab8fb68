#include "ops/linear.h"

#include <array>
#include <bit>
#include <thread>

#include "autograd/closure_tape.h"
#include "backend/cpu/tier.h"
#include "backend/scratch.h"
#include "tensor/split_float.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

OpCase linear_case(int64_t rows, int64_t depth, int64_t outputs, bool with_bias) {
  OpCase op{.name = fmt::format("linear {}x{}x{}{}", rows, depth, outputs, with_bias ? " with bias" : ""),
            .rows = rows,
            .input_cols = {depth},
            .parameters = {matrix(outputs, depth)}};
  if (with_bias) op.parameters.push_back(vector_of(outputs));
  op.run = [](const Pass& pass, const auto& x, const auto& p, const auto&) {
    return std::vector<Tensor>{linear(pass, x[0], p[0], p.size() > 1 ? &p[1] : nullptr)};
  };
  op.reference = [=](const auto& x, const auto& p) {
    Array y(size_t(rows * outputs));
    for (int64_t n = 0; n < rows; ++n)
      for (int64_t o = 0; o < outputs; ++o) {
        Complex total = with_bias ? p[1][size_t(o)] : 0.0;
        for (int64_t k = 0; k < depth; ++k) total += x[0][size_t(n * depth + k)] * p[0][size_t(o * depth + k)];
        y[size_t(n * outputs + o)] = total;
      }
    return std::vector<Array>{y};
  };
  op.rounding_terms = double(std::max({rows, depth, outputs}) + 1);
  return op;
}

TEST(Linear, OddSizes) {
  for (int64_t rows : {1, 2, 12, 13, 65})
    for (const auto& [depth, outputs] : {std::pair<int64_t, int64_t>{1, 1}, {17, 33}, {50, 31}, {33, 100}, {64, 64}})
      for (bool with_bias : {false, true}) check_op(linear_case(rows, depth, outputs, with_bias));
}

// Numbers of eight bits: their products are exact, so that bf16 is as near to the reference as f32.
TEST(Linear, Bf16) {
  for (int64_t rows : {1, 2, 12, 13, 65})
    for (const auto& [depth, outputs] : {std::pair<int64_t, int64_t>{2, 1}, {18, 33}, {50, 31}, {34, 100}, {64, 64}}) {
      OpCase op = linear_case(rows, depth, outputs, rows % 2 == 0);
      op.compute = DType::bf16;
      check_op(op);
    }
  for (OpCase op : {linear_case(3, 40, 1100, true), linear_case(500, 70, 40, false), linear_case(2, 1500, 290, true)}) {
    op.probes = 4, op.compute = DType::bf16;
    check_op(op);
  }
}

// What a thread keeps after linear and its backward is what the memory plan counts.
TEST(Linear, Scratch) {
  for (Tier tier : supported_tiers())
    for (DType compute : {DType::f32, DType::bf16})
      for (const auto& [rows, depth, outputs] : {std::array<int64_t, 3>{64, 50, 70}, {1152, 130, 40}, {300, 70, 3300}})
        std::thread([&, rows = rows, depth = depth, outputs = outputs] {
          Device device(1);
          const Kernels& kernels = kernels_of(tier);
          Parameter weight(device, "w", Parameter::Layout::panels, {{"w", outputs}}, depth, {compute});
          const std::vector<float> zeros(size_t(outputs * depth));
          weight.set_rows(0, outputs, zeros.data());
          Tensor x = tensor_of(device, {rows, depth}, random_floats(size_t(rows * depth), 1));
          Tensor y(device, {rows, outputs}, DType::f32), dw(device, {weight.stored()}, DType::f32);
          kernels.linear(device.threads(), x, weight, nullptr, y);
          kernels.linear_backward_weight(device.threads(), y, x, compute, {dw, false});
          kernels.linear_backward_input(device.threads(), y, weight, {x, false});
          const ScratchSizes kept = scratch_of_thread().sizes(),
                             planned = kernels.linear_scratch(1, true, rows, weight);
          EXPECT_EQ(kept.counts, planned.counts) << kernels.name << rows << 'x' << depth << 'x' << outputs;
        }).join();
}

// What is not exact in bf16 is rounded to it: activations to nearest even, of a weight ties away from zero.
TEST(Linear, Bf16RoundsItsOperands) {
  std::vector<float> x = random_floats(7 * 20, 1), w = random_floats(40 * 20, 2);
  for (auto* values : {&x, &w})
    for (size_t i = 0; i < values->size(); i += 3)
      (*values)[i] = std::bit_cast<float>((std::bit_cast<uint32_t>((*values)[i]) & 0xFFFF0000) | 0x8000);
  const auto run = [](const Kernels& kernels, const std::vector<float>& x, const std::vector<float>& w) {
    Device device(1);
    Parameter weight(device, "w", Parameter::Layout::panels, {{"w", 40}}, 20, {DType::bf16});
    weight.set_rows(0, 40, w.data());
    return floats_of(linear(Pass{device, kernels}, tensor_of(device, {7, 20}, x), weight));
  };
  auto rounded_x = x, rounded_w = w;
  for (float& value : rounded_x) value = float(BFloat16(value));
  for (float& value : rounded_w) value = float(SplitFloat(value).upper);
  for (Tier tier : supported_tiers())
    expect_same_bits(run(kernels_of(tier), x, w), run(kernels_of(tier), rounded_x, rounded_w), "rounded before");
}

// More outputs than the 512 that backward packs at once, more rows than a block, several groups of panels.
TEST(Linear, CrossesEveryBlock) {
  for (OpCase op : {linear_case(3, 40, 1100, true), linear_case(500, 70, 40, false), linear_case(2, 1500, 290, true)}) {
    op.probes = 4;
    check_op(op);
  }
}

// Rows whose words do not all stay packed, cut into several chains; and more rows than dW packs at once.
TEST(Linear, CutsLongChains) {
  for (auto [rows, depth, compute] : {std::tuple<int64_t, int64_t, DType>{300, 1050, DType::f32},
                                      {300, 2100, DType::bf16},
                                      {1100, 18, DType::bf16}}) {
    OpCase op = linear_case(rows, depth, 20, true);
    op.probes = 1, op.compute = compute;
    check_op(op);
  }
}

// No rows: no outputs, and a gradient of zero.
TEST(Linear, OfNoRows) {
  for (Tier tier : supported_tiers())
    for (DType compute : {DType::f32, DType::bf16}) {
      GuardedDevice device(2);
      ClosureTape tape;
      GradientStore gradients(device);
      const Pass pass{device, kernels_of(tier), &tape};
      Parameter weight(device, "w", Parameter::Layout::panels, {{"w", 40}}, 20, {compute});
      Parameter bias(device, "b", Parameter::Layout::vector, {{"b", 40}}, 1);
      const Tensor x(device, {0, 20}, DType::f32), y = linear(pass, x, weight, &bias);
      EXPECT_EQ(y.shape(), Shape({0, 40}));
      gradients.into(y);
      tape.backward(gradients);
      for (const Parameter* p : {&weight, &bias})
        for (float g : floats_of(gradients.of(*p))) ASSERT_EQ(g, 0.0f);
    }
}

TEST(Linear, RefusesWhatDoesNotFit) {
  Device device(1);
  const Pass pass{device, default_kernels()};
  const Parameter weight(device, "w", Parameter::Layout::panels, {{"w", 40}}, 20);
  const Parameter bias(device, "b", Parameter::Layout::vector, {{"b", 39}}, 1);
  Tensor x(device, {3, 20}, DType::f32), narrow(device, {3, 19}, DType::f32), y(device, {3, 40}, DType::f32),
      short_y(device, {2, 40}, DType::f32);
  EXPECT_THROW(multiply(pass, narrow, weight, nullptr, y), Error);
  EXPECT_THROW(multiply(pass, x, weight, nullptr, short_y), Error);
  EXPECT_THROW(multiply(pass, x, weight, &bias, y), Error);
  EXPECT_THROW(multiply_backward_input(pass, y, weight, {narrow, false}), Error);
  EXPECT_THROW(multiply_backward_input(pass, short_y, weight, {x, false}), Error);
}

}  // namespace
}  // namespace fude
