// linear and embedding with weights that stay in F16 or BF16, with ==: the same bits as with the f32 values that they
// widen to, in every tier, for any number of rows and threads, and for every number of 16 bits.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/embedding.h"
#include "ops/linear.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

constexpr WeightType kHalves[] = {WeightType::f16, WeightType::bf16};

Parameter half_matrix(Device& device, WeightType type, int64_t rows, int64_t cols) {
  return Parameter(device, "w", Parameter::Layout::panels,
                   {{.name = "w", .rows = rows, .format = &weight_format(type)}}, cols);
}

// The same numbers in f32.
Parameter widened(Device& device, const Parameter& halves) {
  std::vector<float> values(size_t(halves.count()));
  halves.get_rows(0, halves.rows(), values.data());
  Parameter f32(device, "w", Parameter::Layout::panels, {{"w", halves.rows()}}, halves.cols());
  f32.set_rows(0, f32.rows(), values.data());
  return f32;
}

Parameter random_halves(Device& device, WeightType type, int64_t rows, int64_t cols) {
  Parameter halves = half_matrix(device, type, rows, cols);
  halves.set_rows(0, rows, random_floats(rows * cols, 1).data());
  return halves;
}

// Every number of 16 bits, one a row.
Parameter all_halves(Device& device, WeightType type) {
  std::vector<uint16_t> bits;
  for (int32_t i = 0; i < 65536; ++i) bits.push_back(uint16_t(i));
  Parameter halves = half_matrix(device, type, 65536, 1);
  halves.set_encoded(0, 65536, reinterpret_cast<const std::byte*>(bits.data()));
  return halves;
}

TEST(LinearHalves, BitsOfTheWidenedWeights) {
  for (const WeightType type : kHalves)
    for (const auto& [depth, outputs] : {std::pair<int64_t, int64_t>{1, 1}, {17, 33}, {50, 31}, {290, 100}, {600, 64}})
      for (const int64_t rows : {1, 2, 3, 7, 16, 33, 512})
        for (const int threads : {1, 3}) {
          GuardedDevice device(threads);
          const Parameter halves = random_halves(device, type, outputs, depth), f32 = widened(device, halves);
          Parameter bias(device, "b", Parameter::Layout::vector, {{"b", outputs}}, 1);
          bias.set_rows(0, outputs, random_floats(outputs, 2).data());
          const Parameter* added = rows % 2 == 0 ? &bias : nullptr;
          const Tensor x = tensor_of(device, {rows, depth}, random_floats(rows * depth, 3));
          const auto expected = floats_of(linear({device, kernels_of(Tier::portable)}, x, f32, added));
          for (Tier tier : supported_tiers())
            expect_same_bits(
                floats_of(linear({device, kernels_of(tier)}, x, halves, added)), expected,
                fmt::format("{} {} {}x{}x{}", weight_format(type).name, name_of(tier), rows, depth, outputs));
        }
}

// Subnormals, infinities and NaN among them; by the tiles of few rows, and as widened for many.
TEST(LinearHalves, EveryNumberIsWidenedExactly) {
  for (const WeightType type : kHalves) {
    Device device(1);
    const Parameter halves = all_halves(device, type), f32 = widened(device, halves);
    const auto numbers = floats_of(f32.values());
    const auto decode = weight_format(type).decode;
    for (int32_t i = 0; i < 65536; ++i) {
      const auto bits = uint16_t(i);
      float number = 0;
      decode(reinterpret_cast<const std::byte*>(&bits), 1, &number);
      ASSERT_EQ(std::bit_cast<uint32_t>(numbers[size_t(i)]), std::bit_cast<uint32_t>(number)) << i;
    }
    for (const int64_t rows : {1, 40})
      for (const float factor : {1.0f, 0x1p100f}) {
        const Tensor x = tensor_of(device, {rows, 1}, std::vector<float>(size_t(rows), factor));
        for (Tier tier : supported_tiers()) {
          const auto y = floats_of(linear({device, kernels_of(tier)}, x, halves));
          for (size_t i = 0; i < 65536; ++i) {
            const float number = numbers[i] * factor + 0.0f, got = y[size_t(rows - 1) * 65536 + i];
            ASSERT_TRUE(got == number || (std::isnan(got) && std::isnan(number)))
                << weight_format(type).name << ' ' << name_of(tier) << ' ' << i << ": " << got << ", " << number;
          }
        }
      }
  }
}

TEST(LinearHalves, EmbeddingOfTheWidenedRows) {
  const std::vector<int32_t> ids = {3, 0, 32, 3, 69, 31, 33, 64};
  for (const WeightType type : kHalves)
    for (const int64_t cols : {1, 5, 33, 100}) {
      GuardedDevice device(2);
      const Parameter halves = random_halves(device, type, 70, cols), f32 = widened(device, halves);
      for (Tier tier : supported_tiers()) {
        const Pass pass{device, kernels_of(tier)};
        Tensor got = embedding(pass, ids, halves, 2.75f), expected = embedding(pass, ids, f32, 2.75f);
        expect_same_bits(floats_of(got), floats_of(expected), "scaled");
        add_embedding(pass, ids, halves, got), add_embedding(pass, ids, f32, expected);
        expect_same_bits(floats_of(got), floats_of(expected), "added");
      }
    }
}

// Elements are multiply-adds; bytes, the weight's, which no cache holds. In turns, as other work may slow either.
TEST(LinearHalves, Speed) {
  if (!is_timing()) GTEST_SKIP();
  constexpr int64_t kOutputs = 16384, kCols = 4096;
  Device device(1);
  std::vector<Parameter> weights;
  for (const WeightType type : kHalves) weights.push_back(random_halves(device, type, kOutputs, kCols));
  weights.insert(weights.begin(), widened(device, weights[0]));
  for (const int64_t rows : {1, 2, 3, 4, 8, 16, 32, 512}) {
    const Tensor x = tensor_of(device, {rows, kCols}, random_floats(rows * kCols, 2));
    Tensor y(device, {rows, kOutputs}, DType::f32);
    for (Tier tier : timed_tiers())
      for (int turn = 0; turn < 2; ++turn)
        for (const Parameter& weight : weights)
          time_call(fmt::format("{} {} rows [{}]", name_of(weight.packed().type()), rows, name_of(tier)),
                    double(rows * kOutputs * kCols), double(weight.packed().bytes()),
                    [&] { kernels_of(tier).linear(device.threads(), x, weight, nullptr, y); });
  }
}

}  // namespace
}  // namespace fude
