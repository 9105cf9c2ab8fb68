// The lanes' own functions, in each tier: exp and sigmoid over a dense sweep, rounding to bf16.
#include "ops/cpu_prelude.h"
#define FUDE_TIER_NAME portable
#include "backend/cpu/tier_begin.h"

#include "backend/cpu/simd.h"
#include "tests/ops/simd_functions.h"

#include "backend/cpu/tier_end.h"
#if defined(__x86_64__)
#undef FUDE_TIER_NAME
#define FUDE_TIER_NAME avx2
#include "backend/cpu/tier_begin.h"

#include "backend/cpu/simd.h"
#include "tests/ops/simd_functions.h"

#include "backend/cpu/tier_end.h"
#undef FUDE_TIER_NAME
#define FUDE_TIER_NAME avx512
#include "backend/cpu/tier_begin.h"

#include "backend/cpu/simd.h"
#include "tests/ops/simd_functions.h"

#include "backend/cpu/tier_end.h"
#endif

#include "backend/cpu/tier.h"
#include "base/random.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

struct Functions {
  void (*exp)(const float*, float*);
  void (*sigmoid)(const float*, float*);
  void (*round)(const float*, BFloat16*);
  float (*log)(float);
};

std::vector<Functions> functions_of_tiers() {
  std::vector<Functions> all = {{tier_portable::exp_of_lanes, tier_portable::sigmoid_of_lanes,
                                 tier_portable::round_lanes, tier_portable::log_of_one}};
#if defined(__x86_64__)
  if (is_supported(Tier::avx2))
    all.push_back(
        {tier_avx2::exp_of_lanes, tier_avx2::sigmoid_of_lanes, tier_avx2::round_lanes, tier_avx2::log_of_one});
  if (is_supported(Tier::avx512))
    all.push_back(
        {tier_avx512::exp_of_lanes, tier_avx512::sigmoid_of_lanes, tier_avx512::round_lanes, tier_avx512::log_of_one});
#endif
  return all;
}

// Sixteen consecutive members of a sweep that covers [low, high] evenly.
template <class Body>
void sweep(double low, double high, int64_t count, const Body& body) {
  for (int64_t i = 0; i < count; i += 16) {
    float x[16];
    for (int64_t lane = 0; lane < 16; ++lane)
      x[lane] = float(low + (high - low) * double(i + lane) / double(count - 1));
    body(x);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Simd, ExpIsWithinTwoUlp) {
  for (const Functions& f : functions_of_tiers())
    sweep(-87.0, 88.0, 1 << 21, [&](const float* x) {
      float y[16];
      f.exp(x, y);
      for (int i = 0; i < 16; ++i) {
        const double wanted = std::exp(double(x[i]));
        ASSERT_LE(std::fabs(y[i] - wanted), 2 * 0x1p-23 * wanted) << "at " << x[i];
      }
    });
}

TEST(Simd, ExpAtTheEnds) {
  for (const Functions& f : functions_of_tiers()) {
    const float x[16] = {-INFINITY, -1e30f, -87.5f, -0.0f, 0.0f, 89.0f, INFINITY, NAN};
    float y[16];
    f.exp(x, y);
    EXPECT_EQ(y[0], 0.0f);
    EXPECT_EQ(y[1], 0.0f);
    EXPECT_EQ(y[2], 0.0f);
    EXPECT_EQ(y[3], 1.0f);
    EXPECT_EQ(y[4], 1.0f);
    EXPECT_EQ(y[5], y[6]);
    EXPECT_TRUE(std::isfinite(y[6]) && y[6] > 1e38f);
    EXPECT_TRUE(std::isnan(y[7])) << "NaN must not be hidden";
  }
}

TEST(Simd, Sigmoid) {
  for (const Functions& f : functions_of_tiers()) {
    // exp's two ulp, the sum and the division.
    sweep(-80.0, 80.0, 1 << 20, [&](const float* x) {
      float y[16];
      f.sigmoid(x, y);
      for (int i = 0; i < 16; ++i) {
        const double wanted = 1 / (1 + std::exp(-double(x[i])));
        ASSERT_LE(std::fabs(y[i] - wanted), 3 * 0x1p-23 * wanted) << "at " << x[i];
      }
    });
    const float x[16] = {-INFINITY, -1e10f, 1e10f, INFINITY, NAN};
    float y[16];
    f.sigmoid(x, y);
    EXPECT_LT(y[0], 1e-38f);
    EXPECT_LT(y[1], 1e-38f);
    EXPECT_EQ(y[2], 1.0f);
    EXPECT_EQ(y[3], 1.0f);
    EXPECT_TRUE(std::isnan(y[4]));
  }
}

TEST(Simd, LogIsRounded) {
  for (const Functions& f : functions_of_tiers()) {
    Random random{5, 0};
    for (int i = 0; i < 1 << 18; ++i) {
      const float x = std::bit_cast<float>(uint32_t(random.bits()) % 0x7F800000u);
      if (x == 0) continue;
      const double wanted = std::log(double(x));
      // Half an ulp, and f64's own error near a tie.
      ASSERT_LE(std::fabs(f.log(x) - wanted), 0x1p-24 * std::fabs(wanted) * 1.000001) << "at " << x;
    }
    EXPECT_EQ(f.log(1.0f), 0.0f);
    EXPECT_EQ(f.log(0.0f), -INFINITY);
    EXPECT_EQ(f.log(INFINITY), INFINITY);
    EXPECT_TRUE(std::isnan(f.log(-1.0f)));
    EXPECT_TRUE(std::isnan(f.log(NAN)));
  }
}

TEST(Simd, TiersAgree) {
  const std::vector<Functions> all = functions_of_tiers();
  sweep(-100.0, 100.0, 1 << 20, [&](const float* x) {
    for (auto function : {&Functions::exp, &Functions::sigmoid}) {
      std::vector<float> first(16), other(16);
      (all[0].*function)(x, first.data());
      for (const Functions& f : all) {
        (f.*function)(x, other.data());
        expect_same_bits(other, first, "tiers");
      }
    }
  });
}

TEST(Simd, RoundsToBFloat16) {
  Random random{3, 0};
  for (const Functions& f : functions_of_tiers())
    for (int round = 0; round < 1 << 15; ++round) {
      float x[16];
      BFloat16 y[16];
      for (float& v : x) v = std::bit_cast<float>(uint32_t(random.bits()) & (round % 2 ? 0xFFFFFFFFu : 0xFFFF8000u));
      f.round(x, y);
      for (int i = 0; i < 16; ++i) {
        ASSERT_EQ(y[i].bits, BFloat16(x[i]).bits) << x[i];
        if (std::isnan(x[i])) {
          ASSERT_TRUE(std::isnan(float(y[i])));
          continue;
        }
        // The nearest of the three candidates around it; of two equally near ones the even.
        if (std::fabs(x[i]) > 3e38f) continue;
        const uint16_t truncated = uint16_t(std::bit_cast<uint32_t>(x[i]) >> 16);
        const auto value = [](uint32_t bits) { return double(std::bit_cast<float>(bits << 16)); };
        const double below = std::fabs(x[i] - value(truncated)), above = std::fabs(x[i] - value(truncated + 1u));
        const bool up = above < below || (above == below && (truncated & 1) != 0);
        ASSERT_EQ(y[i].bits, uint16_t(truncated + (up ? 1 : 0))) << x[i];
      }
    }
}

}  // namespace
}  // namespace fude
