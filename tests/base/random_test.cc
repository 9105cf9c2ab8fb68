#include "base/random.h"

#include <gtest/gtest.h>

namespace fude {
namespace {

// Over n draws a mean has the standard error σ/√n; five of them are the tolerance.
TEST(Random, EightNormalsAreNormalAndIndependent) {
  constexpr int kDraws = 1 << 18;
  const NormalTable normals;
  double sum[8] = {}, squares[8] = {}, fourth[8] = {}, products[8] = {};
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto x = normals.eight(7, 3, uint64_t(draw));
    for (size_t i = 0; i < 8; ++i) {
      const double a = double(x[i]), b = double(x[(i + 1) % 8]);
      sum[i] += a, squares[i] += a * a, fourth[i] += a * a * a * a, products[i] += a * b;
    }
  }
  const double error = 5 / std::sqrt(double(kDraws));
  for (int i = 0; i < 8; ++i) {
    EXPECT_NEAR(sum[i] / kDraws, 0, error);
    EXPECT_NEAR(squares[i] / kDraws, 1, error * std::sqrt(2.0));  // var x² = 2
    EXPECT_NEAR(fourth[i] / kDraws, 3, error * std::sqrt(96.0));  // var x⁴ = 105 - 9
    EXPECT_NEAR(products[i] / kDraws, 0, error);
  }
}

// Φ is the other way, from libm: Φ(x) = erfc(-x/√2) / 2. An error e of x moves Φ by φ(x)·e.
TEST(Random, NormalIsTheInverseOfItsDistributionFunction) {
  for (uint64_t bits = 0; bits < (uint64_t(1) << 32); bits += 99991) {
    for (const uint32_t b : {uint32_t(bits), ~uint32_t(bits)}) {
      const double p = (double(b) + 0.5) * 0x1p-32, x = double(normal_quantile(p));
      const double density = std::exp(-x * x / 2) / std::sqrt(2 * 3.141592653589793);
      EXPECT_NEAR(0.5 * std::erfc(-x / std::sqrt(2.0)), p, density * 5e-7 * std::max(1.0, std::abs(x))) << b;
    }
  }
  EXPECT_FLOAT_EQ(normal_quantile(0x1p-33), -normal_quantile(1 - 0x1p-33));
}

TEST(Random, ADrawIsAPureFunction) {
  const NormalTable normals;
  EXPECT_EQ(normals.eight(1, 2, 3), NormalTable().eight(1, 2, 3));
  EXPECT_NE(normals.eight(1, 2, 3), normals.eight(1, 2, 4));
  EXPECT_NE(normals.eight(1, 2, 3), normals.eight(1, 3, 3));
  EXPECT_NE(normals.eight(1, 2, 3), normals.eight(2, 2, 3));
}

}  // namespace
}  // namespace fude
