// A gated MLP in one op against the three that it stands for, with ==: every tier, format, number of rows and of
// threads.
#include "ops/gated_mlp.h"

#include <gtest/gtest.h>

#include "ops/gated.h"
#include "ops/linear.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

Parameter random_blocks(Device& device, WeightType type, int64_t rows, int64_t cols, uint64_t seed) {
  Parameter weight(device, "w", Parameter::Layout::panels,
                   {{.name = "w", .rows = rows, .format = &weight_format(type)}}, cols);
  weight.set_rows(0, rows, random_floats(rows * cols, seed).data());
  return weight;
}

TEST(GatedMlp, IsLinearGatedLinear) {
  constexpr int64_t kWidth = 256, kHidden = 512;
  for (const auto& [up_type, down_type] : {std::pair{WeightType::q4_1, WeightType::q4_1},
                                           {WeightType::q8_0, WeightType::q4_0},
                                           {WeightType::q4_k, WeightType::q6_k},
                                           {WeightType::q5_k, WeightType::q8_0}})
    for (int threads : {1, 3}) {
      GuardedDevice device(threads);
      const Parameter up = random_blocks(device, up_type, 2 * kHidden, kWidth, 1);
      const Parameter down = random_blocks(device, down_type, kWidth - 7, kHidden, 2);
      ASSERT_TRUE(has_gated_mlp(up, down));
      for (int64_t rows : {1, 2, 3, 4, 5, 7, 8, 9, 13, 31, 40, 1900}) {  // the last: more than are packed at once
        const Tensor x_NC = tensor_of(device, {rows, kWidth}, random_floats(rows * kWidth, 3));
        for (Tier tier : supported_tiers()) {
          if (tier == Tier::portable && rows > 40) continue;
          const Pass pass{device, kernels_of(tier)};
          const Tensor gate_up_N2F = linear(pass, x_NC, up);
          const std::string what = fmt::format("{} {} rows", name_of(tier), rows);
          expect_same_bits(floats_of(silu_gated_mlp(pass, x_NC, up, down)),
                           floats_of(linear(pass, silu_gated(pass, gate_up_N2F), down)), what);
          expect_same_bits(floats_of(gelu_gated_mlp(pass, x_NC, up, down)),
                           floats_of(linear(pass, gelu_gated(pass, gate_up_N2F), down)), what);
        }
      }
    }
}

TEST(GatedMlp, WhatIsNoNumberStaysInItsRow) {
  Device device(1);
  const Parameter up = random_blocks(device, WeightType::q4_1, 128, 64, 1);
  const Parameter down = random_blocks(device, WeightType::q4_1, 64, 64, 2);
  std::vector<float> x = random_floats(8 * 64, 3);
  x[2 * 64 + 5] = std::numeric_limits<float>::quiet_NaN(), x[6 * 64] = std::numeric_limits<float>::infinity();
  for (Tier tier : supported_tiers()) {
    const auto y = floats_of(silu_gated_mlp({device, kernels_of(tier)}, tensor_of(device, {8, 64}, x), up, down));
    for (size_t i = 0; i < y.size(); ++i)
      EXPECT_EQ(std::isfinite(y[i]), i / 64 != 2 && i / 64 != 6) << name_of(tier) << ' ' << i;
  }
}

TEST(GatedMlp, RefusesWhatItCannotRun) {
  Device device(1);
  const Parameter up = random_blocks(device, WeightType::q4_1, 96, 64, 1);
  const Parameter narrow = random_blocks(device, WeightType::q4_1, 64, 32, 2);
  const Parameter floats(device, "w", Parameter::Layout::panels, {{"w", 64}}, 48);
  const Pass pass{device, default_kernels()};
  const Tensor x_NC = tensor_of(device, {1, 64}, random_floats(64, 3));
  EXPECT_FALSE(has_gated_mlp(up, narrow));
  EXPECT_THROW(silu_gated_mlp(pass, x_NC, up, narrow), Error);
  EXPECT_FALSE(has_gated_mlp(up, floats));
  EXPECT_THROW(gelu_gated_mlp(pass, x_NC, up, floats), Error);
}

// Beside the three ops. Elements are multiply-adds; bytes, the weights'.
TEST(GatedMlp, Speed) {
  if (!is_timing()) GTEST_SKIP();
  constexpr int64_t kWidth = 1024, kHidden = 3072;
  Device device(1);
  for (const WeightType type : {WeightType::q8_0, WeightType::q4_0, WeightType::q4_k}) {
    const Parameter up = random_blocks(device, type, 2 * kHidden, kWidth, 1);
    const Parameter down = random_blocks(device, type, kWidth, kHidden, 2);
    for (const int64_t rows : {1, 8, 512}) {
      const Tensor x_NC = tensor_of(device, {rows, kWidth}, random_floats(rows * kWidth, 3));
      const double products = double(rows * 3 * kHidden * kWidth);
      const double bytes = double(up.packed().bytes() + down.packed().bytes());
      for (Tier tier : timed_tiers()) {
        const Pass pass{device, kernels_of(tier)};
        const std::string name = fmt::format("{} {} rows [{}]", weight_format(type).name, rows, name_of(tier));
        time_call("gated_mlp " + name, products, bytes, [&] { silu_gated_mlp(pass, x_NC, up, down); });
        time_call("three ops " + name, products, bytes,
                  [&] { linear(pass, silu_gated(pass, linear(pass, x_NC, up)), down); });
      }
    }
  }
}

}  // namespace
}  // namespace fude
