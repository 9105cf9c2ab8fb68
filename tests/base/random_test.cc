#include "base/random.h"

#include <gtest/gtest.h>

namespace fude {
namespace {

// Over n draws a mean has the standard error σ/√n; five of them are the tolerance.
TEST(Random, FourNormalsAreNormalAndIndependent) {
  constexpr int kDraws = 1 << 18;
  double sum[4] = {}, squares[4] = {}, fourth[4] = {}, products[4] = {};
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto x = four_normals(7, 3, uint64_t(draw));
    for (size_t i = 0; i < 4; ++i) {
      const double a = double(x[i]), b = double(x[(i + 1) % 4]);
      sum[i] += a, squares[i] += a * a, fourth[i] += a * a * a * a, products[i] += a * b;
    }
  }
  const double error = 5 / std::sqrt(double(kDraws));
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(sum[i] / kDraws, 0, error);
    EXPECT_NEAR(squares[i] / kDraws, 1, error * std::sqrt(2.0));   // var x² = 2
    EXPECT_NEAR(fourth[i] / kDraws, 3, error * std::sqrt(96.0));  // var x⁴ = 105 - 9
    EXPECT_NEAR(products[i] / kDraws, 0, error);
  }
}

TEST(Random, ADrawIsAPureFunction) {
  EXPECT_EQ(four_normals(1, 2, 3), four_normals(1, 2, 3));
  EXPECT_NE(four_normals(1, 2, 3), four_normals(1, 2, 4));
  EXPECT_NE(four_normals(1, 2, 3), four_normals(1, 3, 3));
  EXPECT_NE(four_normals(1, 2, 3), four_normals(2, 2, 3));
}

}  // namespace
}  // namespace fude
