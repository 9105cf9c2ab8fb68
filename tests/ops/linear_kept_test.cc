// Backward through weights that keep the format of their file, with ==: the gradient of x has the bits that it has with
// what the weight decodes to in f32, in every format, tier, for any number of rows and threads. The weight has none.
#include <gtest/gtest.h>

#include "autograd/closure_tape.h"
#include "base/error.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

Parameter kept_matrix(Device& device, const std::vector<WeightType>& types, int64_t last_rows, int64_t cols) {
  std::vector<Segment> segments;
  for (const WeightType type : types) segments.push_back({.name = "w", .rows = 64, .format = &weight_format(type)});
  segments.back().rows = last_rows;
  Parameter weight(device, "kept", Parameter::Layout::panels, segments, cols);
  weight.set_rows(0, weight.rows(), random_floats(weight.count(), 1).data());
  return weight;
}

Parameter decoded_matrix(Device& device, const Parameter& kept) {
  std::vector<float> values(size_t(kept.count()));
  kept.get_rows(0, kept.rows(), values.data());
  Parameter f32(device, "decoded", Parameter::Layout::panels, {{"w", kept.rows()}}, kept.cols());
  f32.set_rows(0, f32.rows(), values.data());
  return f32;
}

struct KeptCase {
  std::vector<WeightType> types;
  int64_t last_rows, cols;
};

void check_kept(const KeptCase& c, int64_t rows, int threads) {
  GuardedDevice device(threads);
  const Parameter kept = kept_matrix(device, c.types, c.last_rows, c.cols), f32 = decoded_matrix(device, kept);
  const Tensor dy = tensor_of(device, {rows, kept.rows()}, random_floats(rows * kept.rows(), 2));
  const std::vector<float> before = random_floats(rows * c.cols, 3);
  for (const bool add : {false, true}) {
    const auto gradient = [&](const Parameter& weight, Tier tier) {
      const Tensor dx = add ? tensor_of(device, {rows, c.cols}, before) : Tensor(device, {rows, c.cols}, DType::f32);
      multiply_backward_input({device, kernels_of(tier)}, dy, weight, {dx, add});
      return floats_of(dx);
    };
    const std::vector<float> expected = gradient(f32, Tier::portable);
    for (const Tier tier : supported_tiers())
      expect_same_bits(gradient(kept, tier), expected,
                       fmt::format("{} {} x {} x {}", name_of(tier), rows, c.cols, kept.rows()));
  }
}

TEST(LinearKept, BitsOfTheDecodedWeights) {
  for (const WeightFormat& format : weight_formats()) {
    if (format.type == WeightType::f32) continue;
    SCOPED_TRACE(format.name);
    const int64_t block = std::max<int64_t>(format.block, 32);
    for (const auto& [rows, threads] : {std::pair<int64_t, int>{1, 1}, {3, 2}, {40, 3}}) {
      check_kept({{format.type}, 41, 256}, rows, threads);
      check_kept({{format.type, format.type}, 64, 3 * block}, rows, threads);
    }
  }
  for (const WeightType type : {WeightType::f16, WeightType::bf16})
    for (const auto& [cols, outputs] : {std::pair<int64_t, int64_t>{1, 1}, {17, 33}, {50, 31}, {290, 100}})
      check_kept({{type}, outputs, cols}, 35, 2);
}

TEST(LinearKept, FormatsMixed) {
  check_kept({{WeightType::q4_k, WeightType::q6_k}, 64, 512}, 70, 2);
  check_kept({{WeightType::q8_0, WeightType::q4_1, WeightType::q5_0, WeightType::q5_1, WeightType::q4_0}, 41, 544}, 9,
             3);
}

// More rows and more outputs than are packed at once.
TEST(LinearKept, CrossesEveryBlock) {
  check_kept({{WeightType::q4_0}, 3200, 96}, 530, 2);
  check_kept({{WeightType::f16}, 3200, 30}, 530, 2);
}

// With a tape and without, the same product; x has a gradient, and who wants the weight's is told its name.
TEST(LinearKept, WhatIsFrozenNeedsNoGradient) {
  Device device(2);
  for (const WeightType type : {WeightType::f16, WeightType::bf16, WeightType::q8_0, WeightType::q4_0}) {
    const Parameter weight = kept_matrix(device, {type}, 40, 64);
    const Tensor x = tensor_of(device, {5, 64}, random_floats(5 * 64, 1)),
                 y = linear({device, default_kernels()}, x, weight);
    const auto back = [&](GradientStore gradients, const auto& op) {
      ClosureTape tape;
      const Pass pass{device, default_kernels(), &tape};
      const Tensor out = op(pass);
      std::ranges::copy(random_floats(out.size(), 4), gradients.into(out).tensor.template data<float>());
      tape.backward(gradients);
      return gradients;
    };
    const auto product = [&](const Pass& pass) {
      const Tensor out = linear(pass, x, weight);
      expect_same_bits(floats_of(out), floats_of(y), "with a tape");
      return out;
    };
    const auto rows = [&](const Pass& pass) {
      Tensor out = embedding(pass, {1, 39}, weight);
      add_embedding(pass, {2, 3}, weight, out);
      return out;
    };
    const GradientStore frozen = back({device, {}}, product);
    EXPECT_EQ(frozen.of(x.id()).size(), x.size());
    EXPECT_TRUE(frozen.of(weight).is_empty());
    EXPECT_TRUE(back({device, {}}, rows).of(weight).is_empty());
    const auto refuses = [&](const auto& op) {
      try {
        back(GradientStore(device), op);
        FAIL();
      } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("kept"), std::string::npos) << error.what();
      }
    };
    refuses(product), refuses(rows);
  }
}

// Beside the same weight in f32. Elements are multiply-adds.
TEST(LinearKept, Speed) {
  if (!is_timing()) GTEST_SKIP();
  constexpr int64_t kOutputs = 2048, kCols = 2048;
  Device device(1);
  std::vector<Parameter> weights;
  for (const WeightType type : {WeightType::f16, WeightType::q8_0, WeightType::q4_k})
    weights.push_back(kept_matrix(device, {type}, kOutputs, kCols));
  weights.push_back(decoded_matrix(device, weights[0]));
  for (const Parameter& weight : weights) {
    const std::string_view type = weight.keeps_formats() ? weight.segments()[0].format->name : "F32";
    for (const int64_t rows : {32, 512}) {
      const Tensor dy = tensor_of(device, {rows, kOutputs}, random_floats(rows * kOutputs, 2));
      const Tensor dx(device, {rows, kCols}, DType::f32);
      for (Tier tier : timed_tiers())
        time_call(fmt::format("dX {} {} rows [{}]", type, rows, name_of(tier)), double(rows * kOutputs * kCols),
                  double(weight.packed().bytes()), [&] {
                    multiply_backward_input({device, kernels_of(tier)}, dy, weight, {dx});
                  });
    }
  }
}

}  // namespace
}  // namespace fude
