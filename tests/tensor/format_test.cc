// Every weight format against what ggml's own C makes of the same bytes and numbers (tools/goldens/make_formats.py).
#include "tensor/format.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "tensor/float16.h"

namespace fude {
namespace {

bool same_bits(float a, float b) {
  // NaN has many bit patterns, and C does not say which of them arithmetic gives.
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

std::vector<float> decoded(const WeightFormat& format, const std::vector<std::byte>& bytes) {
  const int64_t blocks = int64_t(bytes.size()) / format.block_bytes;
  std::vector<float> values(size_t(blocks * format.block));
  format.decode(bytes.data(), blocks, values.data());
  return values;
}

std::vector<std::byte> encoded(const WeightFormat& format, const std::vector<float>& values) {
  const int64_t blocks = int64_t(values.size()) / format.block;
  std::vector<std::byte> bytes(size_t(blocks * format.block_bytes));
  format.encode(values.data(), blocks, bytes.data());
  return bytes;
}

TEST(Format, TableIsFoundByTypeNameAndId) {
  for (const WeightFormat& format : weight_formats()) {
    EXPECT_EQ(&weight_format(format.type), &format);
    EXPECT_EQ(&weight_format(format.name), &format);
    EXPECT_EQ(find_weight_format(format.gguf_id), &format);
  }
  EXPECT_EQ(weight_formats().size(), size_t(WeightType::q6_k) + 1);
  EXPECT_EQ(find_weight_format(10), nullptr);
  EXPECT_THROW(weight_format("Q9_K"), Error);
}

TEST(Format, SameBitsAsGgml) {
  for (const WeightFormat& format : weight_formats()) {
    if (format.type == WeightType::f32) continue;
    const std::string name(format.name);
    const std::string golden = read_file(FUDE_SOURCE_DIR "/tests/goldens/formats/" + name + ".bin");
    const char* next = golden.data();
    const auto take = [&next]<class T>(std::vector<T>& to) {
      std::memcpy(to.data(), next, to.size() * sizeof(T));
      next += to.size() * sizeof(T);
    };
    std::vector<int32_t> counts(2);
    take(counts);
    const size_t block = size_t(format.block), block_bytes = size_t(format.block_bytes);
    std::vector<std::byte> given(size_t(counts[0]) * block_bytes), made(size_t(counts[1]) * block_bytes);
    std::vector<float> values(size_t(counts[0]) * block), numbers(size_t(counts[1]) * block);
    take(given), take(values), take(numbers), take(made);
    ASSERT_EQ(next, golden.data() + golden.size()) << name;

    const std::vector<float> read = decoded(format, given);
    for (size_t i = 0; i < read.size(); ++i)
      ASSERT_TRUE(same_bits(read[i], values[i])) << name << " value " << i << ": " << read[i] << ", not " << values[i];
    const std::vector<std::byte> written = encoded(format, numbers);
    for (size_t i = 0; i < written.size(); ++i)
      ASSERT_EQ(written[i], made[i]) << name << " block " << i / block_bytes << " byte " << i % block_bytes;
  }
}

TEST(Format, HalfIsExact) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    Float16 half;
    half.bits = uint16_t(bits);
    const float value = float(half);
    const int exponent = int(bits >> 10 & 31), mantissa = int(bits & 1023);
    const float sign = bits & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31 && mantissa != 0) {
      ASSERT_TRUE(std::isnan(value) && std::isnan(float(Float16(value))));
      continue;
    }
    const float expected = exponent == 31  ? std::numeric_limits<float>::infinity()
                           : exponent == 0 ? std::ldexp(float(mantissa), -24)
                                           : std::ldexp(float(mantissa + 1024), exponent - 25);
    ASSERT_TRUE(same_bits(value, sign * expected)) << bits;
    ASSERT_EQ(Float16(value).bits, bits);
    if (exponent == 31) continue;
    // Halfway to the next one goes to the even one, a little less or more to the nearer.
    half.bits = uint16_t(bits + 1);
    const float next = (bits & 0x7FFF) == 0x7BFF ? sign * 65536.0f : float(half), middle = (value + next) / 2;
    ASSERT_EQ(Float16(middle).bits, bits + (bits & 1)) << bits;
    ASSERT_EQ(Float16(std::nextafter(middle, value)).bits, bits);
    ASSERT_EQ(Float16(std::nextafter(middle, next)).bits, bits + 1);
  }
}

// What a sanitizer would object to: any bytes decode, any numbers encode.
TEST(Format, TakesAnything) {
  const float infinity = std::numeric_limits<float>::infinity(), most = std::numeric_limits<float>::max();
  const float odd[] = {0.0f,  -0.0f,  infinity, -infinity, std::nanf(""), most,
                       -most, 1e-45f, -1e-40f,  1.0f,      1e20f,         -3e-20f};
  for (const WeightFormat& format : weight_formats()) {
    std::vector<std::byte> bytes(size_t(format.block_bytes) * 200);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(philox(1, 0, i)[0]);
    decoded(format, bytes);
    for (uint32_t seed = 0; seed < 200; ++seed) {
      std::vector<float> values(static_cast<size_t>(format.block));
      const uint32_t kinds = seed % 12 + 1;
      for (size_t i = 0; i < values.size(); ++i) values[i] = odd[(philox(seed, 1, i)[0] % kinds + seed) % 12];
      decoded(format, encoded(format, values));
    }
  }
}

TEST(Format, EncodingRefusesWhatItCannotHold) {
  std::vector<float> values(256, 1.0f);
  std::vector<std::byte> bytes(1024);
  for (const WeightFormat& format : weight_formats()) {
    encode_weights(format, values, bytes.data(), "w");
    if (format.block == 1) continue;
    EXPECT_THROW(encode_weights(format, std::span(values).first(31), bytes.data(), "w"), Error);
    for (const float wrong : {std::nanf(""), 65536.0f, -std::numeric_limits<float>::infinity()}) {
      values[77] = wrong;
      EXPECT_THROW(encode_weights(format, values, bytes.data(), "w"), Error);
    }
    values[77] = 1.0f;
  }
}

// The errors of docs/formats.md: FUDE_BENCH=1 build/release/tests/tensor_test --gtest_filter=Format.ErrorOnWeights
TEST(Format, ErrorOnWeights) {
  const NormalTable normals;
  std::vector<float> values(1 << 18);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.02f * normals.eight(3, 0, i / 8)[i % 8];
  for (const WeightFormat& format : weight_formats()) {
    const std::vector<float> back = decoded(format, encoded(format, values));
    double squares = 0;
    for (size_t i = 0; i < values.size(); ++i) squares += std::pow(double(back[i]) - double(values[i]), 2);
    const double error = std::sqrt(squares / double(values.size())) / 0.02;
    if (std::getenv("FUDE_BENCH") != nullptr)
      fmt::print("{:5} {:7.4f} bits  rms error {:.3g} of the deviation\n", format.name, format.bits_per_weight(),
                 error);
    if (format.block == 1) {
      EXPECT_LT(error, format.type == WeightType::bf16 ? 0x1p-9 : 0x1p-11);
    } else {
      // Levels spread evenly over all values there are, ±4.33 deviations, would do this; blocks have to be better.
      const double levels = std::exp2(format.name[1] - '0');
      EXPECT_LT(error, 2 * 4.33 / levels / std::sqrt(12.0)) << format.name;
    }
  }
}

}  // namespace
}  // namespace fude
