#include "tensor/parameter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <set>

#include "base/error.h"
#include "tensor/split_float.h"

namespace fude {
namespace {

TEST(Parameter, PanelsKeepEveryElementAtItsPlace) {
  Device device(1);
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {31, 3}, {32, 5}, {33, 7}, {100, 17}}) {
    Parameter parameter(device, "w", Parameter::Layout::panels, {{"w", rows}}, cols);
    EXPECT_EQ(parameter.stored(), (rows + 31) / 32 * 32 * cols);
    EXPECT_EQ(parameter.count(), rows * cols);
    std::vector<float> values(size_t(rows * cols)), back(values.size());
    std::iota(values.begin(), values.end(), 1.0f);
    parameter.set_rows(0, rows, values.data());
    parameter.get_rows(0, rows, back.data());
    EXPECT_EQ(back, values);
    std::set<int64_t> places;
    const float* stored = parameter.values().data<float>();
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t col = 0; col < cols; ++col) {
        const int64_t place = parameter.position(row, col);
        ASSERT_EQ(place, row / 32 * 32 * cols + col * 32 + row % 32);
        ASSERT_EQ(stored[place], values[size_t(row * cols + col)]);
        places.insert(place);
      }
    ASSERT_EQ(int64_t(places.size()), rows * cols);
    for (int64_t place = 0; place < parameter.stored(); ++place)
      ASSERT_TRUE(places.contains(place) || stored[place] == 0.0f);
  }
}

TEST(Parameter, RowsInTheMiddle) {
  Device device(1);
  Parameter parameter(device, "qkv", Parameter::Layout::panels, {{"q", 40}, {"k", 20}, {"v", 20}}, 3);
  EXPECT_EQ(parameter.rows(), 80);
  std::vector<float> rows(60, 2.5f), all(240), part(60);
  parameter.set_rows(40, 20, rows.data());
  parameter.get_rows(0, 80, all.data());
  for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], i >= 120 && i < 180 ? 2.5f : 0.0f);
  parameter.get_rows(40, 20, part.data());
  EXPECT_EQ(part, rows);
  EXPECT_THROW(parameter.set_rows(70, 11, rows.data()), Error);
  EXPECT_THROW(parameter.get_rows(-1, 2, part.data()), Error);
}

// Every f32 comes back from its halves; the upper one is the nearest bf16, ties away from zero.
TEST(SplitFloat, LosesNothing) {
  std::vector<uint32_t> all = {0x00000000, 0x80000000, 0x00000001, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000,
                               0xFF800000, 0x3F808000, 0x3F818000, 0xBF808000, 0x3F807FFF, 0x3F808001};
  for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += 65521) all.push_back(uint32_t(bits));
  for (const uint32_t bits : all) {
    const float x = std::bit_cast<float>(bits);
    const SplitFloat halves(x);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(float(halves)) && std::isnan(float(halves.upper))) << bits;
      continue;
    }
    ASSERT_EQ(std::bit_cast<uint32_t>(float(halves)), bits);
    const bool is_tie = (bits & 0xFFFF) == 0x8000;
    ASSERT_EQ(halves.upper.bits, is_tie ? uint16_t((bits >> 16) + 1) : BFloat16(x).bits) << bits;
  }
  for (const uint32_t nan : {0x7F800001u, 0x7FFFFFFFu, 0xFF800001u, 0xFFFFFFFFu}) {
    const SplitFloat halves(std::bit_cast<float>(nan));
    EXPECT_TRUE(std::isnan(float(halves)) && std::isnan(float(halves.upper))) << nan;
  }
}

// In bf16 columns lie in pairs; with a master the values come back bit for bit, without one as bf16.
TEST(Parameter, KeepsItsMasterInHalves) {
  Device device(1);
  std::vector<float> values(71 * 46), back(values.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(float(i)) / 3;
  for (const bool keeps_master : {true, false}) {
    Parameter parameter(device, "w", Parameter::Layout::panels, {{"w", 71}}, 46, {DType::bf16, keeps_master});
    EXPECT_EQ(parameter.has_master(), keeps_master);
    EXPECT_EQ(parameter.stored(), 96 * 46);
    EXPECT_EQ(device.usage().now[int(Purpose::weights)], 96 * 46 * (keeps_master ? 4 : 2));
    parameter.set_rows(0, 40, values.data());
    parameter.set_rows(40, 31, values.data() + 40 * 46);
    parameter.get_rows(0, 71, back.data());
    for (int64_t row = 0; row < 71; ++row)
      for (int64_t col = 0; col < 46; ++col) {
        const auto i = size_t(row * 46 + col);
        const BFloat16 upper = SplitFloat(values[i]).upper;
        const int64_t place = row / 32 * 32 * 46 + col / 2 * 64 + row % 32 * 2 + col % 2;
        ASSERT_EQ(parameter.packed().data<BFloat16>()[place].bits, upper.bits);
        ASSERT_EQ(back[i], keeps_master ? values[i] : float(upper));
      }
  }
}

// Rows of blocks come back as their own format decodes them, through several segments, formats and a last narrow panel.
TEST(Parameter, StaysInBlocks) {
  Device device(1);
  for (const auto& [first, second] : {std::pair{WeightType::q4_0, WeightType::q4_0},
                                      {WeightType::q4_k, WeightType::q6_k},
                                      {WeightType::q5_1, WeightType::q8_0}}) {
    const WeightFormat *a = &weight_format(first), *b = &weight_format(second);
    const int64_t cols = 512;
    const std::vector<Segment> segments = {{.name = "a", .rows = 64, .format = a},
                                           {.name = "b", .rows = 40, .format = b}};
    Parameter parameter(device, "w", Parameter::Layout::panels, segments, cols);
    EXPECT_EQ(parameter.runs().size(), a == b ? 1u : 2u);
    std::vector<float> expected, back(size_t(104 * cols));
    for (const auto& [format, begin, rows] : {std::tuple{a, int64_t(0), int64_t(64)}, {b, 64, 40}}) {
      std::vector<float> values(size_t(rows * cols)), decoded(values.size());
      for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(float(i) * 0.37f) * float(1 + i % 7);
      std::vector<std::byte> bytes(size_t(rows * cols / format->block * format->block_bytes));
      format->encode(values.data(), rows * cols / format->block, bytes.data());
      format->decode(bytes.data(), rows * cols / format->block, decoded.data());
      expected.insert(expected.end(), decoded.begin(), decoded.end());
      parameter.set_encoded(begin, rows, bytes.data());
    }
    parameter.get_rows(0, 104, back.data());
    EXPECT_EQ(back, expected);
    parameter.get_rows(63, 2, back.data());
    EXPECT_TRUE(std::equal(back.begin(), back.begin() + 2 * cols, expected.begin() + 63 * cols));
  }
}

TEST(Parameter, BlocksAndPanelsMustBeWhole) {
  const auto can = [](WeightType a, int64_t rows, WeightType b, int64_t cols) {
    return Parameter::can_keep_formats({{.name = "a", .rows = rows, .format = &weight_format(a)},
                                        {.name = "b", .rows = 5, .format = &weight_format(b)}},
                                       cols);
  };
  EXPECT_TRUE(can(WeightType::q4_0, 33, WeightType::q4_0, 32));
  EXPECT_FALSE(can(WeightType::q4_0, 33, WeightType::q8_0, 32));
  EXPECT_TRUE(can(WeightType::q4_0, 64, WeightType::q8_0, 32));
  EXPECT_FALSE(can(WeightType::q4_0, 64, WeightType::q8_0, 48));
  EXPECT_FALSE(can(WeightType::q4_k, 64, WeightType::q4_0, 32));
  EXPECT_TRUE(can(WeightType::f16, 33, WeightType::f16, 31));
  EXPECT_TRUE(can(WeightType::bf16, 33, WeightType::bf16, 31));
  EXPECT_FALSE(can(WeightType::f16, 64, WeightType::bf16, 32));
  EXPECT_FALSE(can(WeightType::f16, 64, WeightType::q8_0, 32));
  EXPECT_FALSE(can(WeightType::q8_0, 64, WeightType::f16, 32));
  EXPECT_FALSE(can(WeightType::f32, 64, WeightType::f32, 32));
  EXPECT_FALSE(Parameter::can_keep_formats({{.name = "a", .rows = 5}}, 32));
  EXPECT_FALSE(Parameter::can_keep_formats(
      {{.name = "a", .rows = 5, .is_less_one_in_file = true, .format = &weight_format(WeightType::bf16)}}, 32));
}

// Two bytes an element, in the order of f32 panels, and every bit pattern comes back.
TEST(Parameter, StaysInHalves) {
  Device device(1);
  for (const WeightType type : {WeightType::f16, WeightType::bf16}) {
    const WeightFormat* format = &weight_format(type);
    const std::vector<Segment> segments = {{.name = "a", .rows = 50, .format = format},
                                           {.name = "b", .rows = 21, .format = format}};
    Parameter parameter(device, "w", Parameter::Layout::panels, segments, 923);
    EXPECT_EQ(parameter.packed().bytes(), 96 * 923 * 2);
    EXPECT_EQ(parameter.stored(), 96 * 923);
    EXPECT_FALSE(parameter.has_master());
    std::vector<uint16_t> bits(71 * 923);
    std::iota(bits.begin(), bits.end(), uint16_t(0));
    const auto* bytes = reinterpret_cast<const std::byte*>(bits.data());
    parameter.set_encoded(0, 50, bytes);
    parameter.set_encoded(50, 21, bytes + 2 * 50 * 923);
    const auto* stored = static_cast<const uint16_t*>(parameter.packed().raw());
    for (int64_t row = 0; row < 71; ++row)
      for (int64_t col = 0; col < 923; ++col)
        ASSERT_EQ(stored[parameter.position(row, col)], bits[size_t(row * 923 + col)]);
    std::vector<float> decoded(bits.size()), back(bits.size());
    format->decode(bytes, int64_t(bits.size()), decoded.data());
    parameter.get_rows(0, 71, back.data());
    EXPECT_EQ(std::memcmp(back.data(), decoded.data(), back.size() * 4), 0);
    // What is no such number is rounded.
    const std::vector<float> thirds(2 * 923, 1.0f / 3);
    parameter.set_rows(31, 2, thirds.data());
    parameter.get_rows(31, 2, back.data());
    EXPECT_EQ(back[923], type == WeightType::f16 ? float(Float16(1.0f / 3)) : float(BFloat16(1.0f / 3)));
    EXPECT_THROW(parameter.set_encoded(70, 2, bytes), Error);
  }
  EXPECT_THROW(Parameter(device, "w", Parameter::Layout::panels, {{"w", 3}}, 3).set_encoded(0, 1, nullptr), Error);
}

TEST(Parameter, VectorsArePlain) {
  Device device(1);
  Parameter parameter(device, "b", Parameter::Layout::vector, {{"b", 35}}, 1);
  EXPECT_EQ(parameter.stored(), 35);
  for (int64_t row = 0; row < 35; ++row) EXPECT_EQ(parameter.position(row, 0), row);
  EXPECT_FALSE(parameter.is_matrix());
}

TEST(Parameter, RefusesEmptyOnes) {
  Device device(1);
  EXPECT_THROW(Parameter(device, "w", Parameter::Layout::panels, {{"w", 0}}, 3), Error);
  EXPECT_THROW(Parameter(device, "w", Parameter::Layout::panels, {}, 3), Error);
  EXPECT_THROW(Parameter(device, "w", Parameter::Layout::panels, {{"w", 3}}, 0), Error);
}

}  // namespace
}  // namespace fude
