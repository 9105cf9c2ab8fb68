// linear with weights in blocks against its own definition, link by link, with ==: every format, tier, number of rows
// and of threads.
#include "ops/linear_blocks.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/linear.h"
#include "tensor/float16.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

constexpr int64_t kFew[] = {1, 2, 3, 5, 6, 7, 12, 13, 33};

struct BlockCase {
  std::vector<WeightType> types;  // of segments of 64 rows, the last of 41
  int64_t cols, rows;

  std::vector<Segment> segments() const {
    std::vector<Segment> all;
    for (WeightType type : types) all.push_back({.name = "w", .rows = 64, .format = &weight_format(type)});
    all.back().rows = 41;
    return all;
  }
  int64_t outputs() const { return 64 * int64_t(types.size() - 1) + 41; }
};

// Normal numbers, of five sizes in turn, encoded.
std::vector<std::byte> random_blocks(const WeightFormat& format, int64_t blocks, uint64_t seed) {
  std::vector<float> values = random_floats(blocks * format.block, seed);
  for (size_t i = 0; i < values.size(); ++i) values[i] *= float(1 + i / 32 % 5);
  std::vector<std::byte> bytes(size_t(blocks * format.block_bytes));
  format.encode(values.data(), blocks, bytes.data());
  return bytes;
}

float half(uint16_t bits) {
  Float16 x;
  x.bits = bits;
  return float(x);
}

// The definition in linear_blocks.h.
float reference(const WeightFormat& format, const std::byte* row, const float* x, int64_t cols, float y) {
  for (int64_t column = 0; column < cols; column += format.block, row += format.block_bytes) {
    BlockCodes codes;
    format.take_apart(row, codes);
    const BlockShape shape = block_shape(format.type);
    for (int64_t unit = 0; unit < format.block / 32; ++unit) {
      const float* part = x + column + unit * 32;
      float top = 0;
      for (int i = 0; i < 32; ++i) top = std::max(top, std::fabs(part[i]));
      const bool is_some = top >= 1e-30f;
      const float a = is_some ? top / 127.0f : 0, inverse = is_some ? 127.0f / top : 0;
      int q[32];
      for (int i = 0; i < 32; ++i) q[i] = int(std::nearbyint(part[i] * inverse));
      const int width = 32 / shape.scales;
      for (int s = 0; s < shape.scales; ++s) {
        int products = 0;
        for (int i = s * width; i < (s + 1) * width; ++i) {
          const uint8_t level = codes.levels[unit * 32 + i];
          products += ((shape.bits == 8 ? int(int8_t(level)) : int(level)) - shape.middle) * q[i];
        }
        float scale = half(codes.unit);
        if (shape.is_super) {
          const uint8_t integer = codes.scales[unit * shape.scales + s];
          scale *= format.type == WeightType::q6_k ? float(int8_t(integer)) : float(integer);
        }
        y = std::fmaf(float(products), scale * a, y);
      }
      if (shape.has_low) {
        const float low = shape.is_super ? -(half(codes.low_unit) * float(codes.lows[unit])) : half(codes.low_unit);
        int total = 0;
        for (int i = 0; i < 32; ++i) total += q[i];
        y = std::fmaf(low, a * float(total), y);
      }
    }
  }
  return y;
}

void check_case(const BlockCase& c, int threads, bool with_bias) {
  Device device(threads);
  const std::vector<Segment> segments = c.segments();
  Parameter weight(device, "w", Parameter::Layout::panels, segments, c.cols);
  Parameter bias(device, "b", Parameter::Layout::vector, {{"b", c.outputs()}}, 1);
  const std::vector<float> b = random_floats(c.outputs(), 3);
  std::vector<float> x = random_floats(c.rows * c.cols, 4);
  // Units that are nothing: the last of the first row, and the first of the last.
  if (c.rows > 2) std::fill_n(x.begin() + c.cols - 32, 32, 0.0f), std::fill_n(x.end() - c.cols, 32, -5e-31f);
  bias.set_rows(0, c.outputs(), b.data());
  std::vector<float> expected(size_t(c.rows * c.outputs()));
  int64_t output = 0;
  for (const Segment& segment : segments) {
    const WeightFormat& format = *segment.format;
    const int64_t blocks = c.cols / format.block;
    const std::vector<std::byte> bytes = random_blocks(format, segment.rows * blocks, uint64_t(output));
    weight.set_encoded(output, segment.rows, bytes.data());
    for (int64_t o = 0; o < segment.rows; ++o, ++output)
      for (int64_t n = 0; n < c.rows; ++n)
        expected[size_t(n * c.outputs() + output)] =
            reference(format, bytes.data() + o * blocks * format.block_bytes, x.data() + n * c.cols, c.cols,
                      with_bias ? b[size_t(output)] : 0.0f);
  }
  for (Tier tier : supported_tiers()) {
    const Pass pass{device, kernels_of(tier)};
    const Tensor y = linear(pass, tensor_of(device, {c.rows, c.cols}, x), weight, with_bias ? &bias : nullptr);
    expect_same_bits(floats_of(y), expected, fmt::format("{} {} rows, {} columns", name_of(tier), c.rows, c.cols));
  }
}

TEST(LinearBlocks, EveryFormatAsDefined) {
  for (const WeightFormat& format : weight_formats())
    if (format.is_quantized())
      for (int64_t rows : kFew) {
        SCOPED_TRACE(format.name);
        check_case({{format.type}, 256, rows}, 1, rows % 2 == 0);
        check_case({{format.type, format.type}, 3 * format.block, rows}, 3, rows % 2 == 1);
      }
}

TEST(LinearBlocks, FormatsMixed) {
  for (int64_t rows : {1, 8, 70}) {
    check_case({{WeightType::q4_k, WeightType::q6_k}, 512, rows}, 2, true);
    check_case({{WeightType::q8_0, WeightType::q4_1, WeightType::q5_0}, 544, rows}, 2, false);
  }
}

// Beside the product with the weights as they decode: an activation is off by at most a / 2, so a result by at most
// Σ |w| a / 2, and by what f32 rounds.
TEST(LinearBlocks, NearTheProductOfWhatBlocksDecodeTo) {
  constexpr int64_t kRows = 3, kCols = 512, kOutputs = 33;
  Device device(1);
  for (const WeightFormat& format : weight_formats()) {
    if (!format.is_quantized()) continue;
    Parameter weight(device, "w", Parameter::Layout::panels, {{.name = "w", .rows = kOutputs, .format = &format}},
                     kCols);
    weight.set_encoded(0, kOutputs, random_blocks(format, kOutputs * kCols / format.block, 9).data());
    std::vector<float> w(size_t(kOutputs * kCols));
    weight.get_rows(0, kOutputs, w.data());
    const std::vector<float> x = random_floats(kRows * kCols, 10);
    const auto y = floats_of(linear({device, default_kernels()}, tensor_of(device, {kRows, kCols}, x), weight));
    for (int64_t n = 0; n < kRows; ++n)
      for (int64_t o = 0; o < kOutputs; ++o) {
        double exact = 0, bound = 0, size = 0;
        for (int64_t first = 0; first < kCols; first += 32) {
          double top = 0;
          for (int64_t k = first; k < first + 32; ++k) top = std::max(top, std::fabs(double(x[size_t(n * kCols + k)])));
          for (int64_t k = first; k < first + 32; ++k) {
            const double weight_of = double(w[size_t(o * kCols + k)]), value = double(x[size_t(n * kCols + k)]);
            exact += weight_of * value, bound += std::fabs(weight_of) * top / 254, size += std::fabs(weight_of) * top;
          }
        }
        EXPECT_LE(std::fabs(double(y[size_t(n * kOutputs + o)]) - exact), bound + kUnit * 32 * size)
            << format.name << ' ' << n << ' ' << o;
      }
  }
}

// More rows than are packed at once.
TEST(LinearBlocks, CrossesEveryBlock) { check_case({{WeightType::q8_0, WeightType::q4_0}, 2048, 150}, 2, true); }

// The largest levels against the largest activations: sums of pairs may not overflow on the way.
TEST(LinearBlocks, ExtremesAreExact) {
  for (const WeightFormat& format : weight_formats()) {
    if (!format.is_quantized()) continue;
    const int64_t cols = 256, blocks = cols / format.block;
    for (const int fill : {0, 255}) {
      Device device(1);
      BlockCodes codes{};
      codes.unit = codes.low_unit = Float16(1.0f).bits;
      std::fill(std::begin(codes.scales), std::end(codes.scales), uint8_t(1));
      const BlockShape shape = block_shape(format.type);
      const int most = shape.bits == 8 ? (fill ? 0x7F : 0x80) : fill & ((1 << shape.bits) - 1);
      std::fill(std::begin(codes.levels), std::end(codes.levels), uint8_t(most));
      std::vector<std::byte> row(size_t(blocks * format.block_bytes));
      for (int64_t i = 0; i < blocks; ++i) format.put_together(codes, row.data() + i * format.block_bytes);
      Parameter weight(device, "w", Parameter::Layout::panels, {{.name = "w", .rows = 1, .format = &format}}, cols);
      weight.set_encoded(0, 1, row.data());
      for (const float sign : {1.0f, -1.0f}) {
        const std::vector<float> x(size_t(cols), sign * 127.0f);
        const float expected = reference(format, row.data(), x.data(), cols, 0.0f);
        for (Tier tier : supported_tiers())
          EXPECT_EQ(floats_of(linear(Pass{device, kernels_of(tier)}, tensor_of(device, {1, cols}, x), weight))[0],
                    expected)
              << format.name << ' ' << name_of(tier);
      }
    }
  }
}

TEST(LinearBlocks, WhatIsNoNumberStaysNone) {
  Device device(1);
  const WeightFormat& format = weight_format(WeightType::q8_0);
  Parameter weight(device, "w", Parameter::Layout::panels, {{.name = "w", .rows = 32, .format = &format}}, 64);
  const std::vector<float> w = random_floats(32 * 64, 1);
  weight.set_rows(0, 32, w.data());
  for (const float bad : {std::nanf(""), INFINITY})
    for (Tier tier : supported_tiers()) {
      std::vector<float> x = random_floats(2 * 64, 2);
      x[5] = bad;
      const auto y = floats_of(linear(Pass{device, kernels_of(tier)}, tensor_of(device, {2, 64}, x), weight));
      for (size_t i = 0; i < 32; ++i) EXPECT_TRUE(std::isnan(y[i])) << name_of(tier) << ' ' << i;
      for (size_t i = 32; i < 64; ++i) EXPECT_TRUE(std::isfinite(y[i])) << name_of(tier) << ' ' << i;
    }
}

// Elements are multiply-adds; bytes, the weight's.
TEST(LinearBlocks, Speed) {
  if (!is_timing()) GTEST_SKIP();
  constexpr int64_t kOutputs = 2048, kCols = 2048;
  Device device(1);
  for (const WeightFormat& format : weight_formats()) {
    if (!format.is_quantized()) continue;
    Parameter weight(device, "w", Parameter::Layout::panels, {{.name = "w", .rows = kOutputs, .format = &format}},
                     kCols);
    const int64_t blocks = kOutputs * kCols / format.block;
    weight.set_encoded(0, kOutputs, random_blocks(format, blocks, 1).data());
    for (const int64_t rows : {1, 8, 512}) {
      const Tensor x = tensor_of(device, {rows, kCols}, random_floats(rows * kCols, 2));
      Tensor y(device, {rows, kOutputs}, DType::f32);
      for (Tier tier : timed_tiers()) {
        const Pass pass{device, kernels_of(tier)};
        time_call(fmt::format("{} {} rows [{}]", format.name, rows, name_of(tier)), double(rows * kOutputs * kCols),
                  double(weight.packed().bytes()), [&] { multiply(pass, x, weight, nullptr, y); });
      }
    }
  }
}

}  // namespace
}  // namespace fude
