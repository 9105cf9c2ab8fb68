#include "ops/adamw.h"

#include "backend/cpu/tier.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

struct State {
  std::vector<float> values, mean, variance;
};

constexpr int kSteps = 4;

AdamWStep step_of(int step) {
  const float beta1 = 0.9f, beta2 = 0.95f;
  return {0.01f,
          beta1,
          beta2,
          1e-8f,
          0.1f,
          float(1 - std::pow(double(beta1), step)),
          float(1 - std::pow(double(beta2), step)),
          0.5f};
}

State run(Tier tier, int threads, int64_t size) {
  GuardedDevice device(threads);
  Tensor values = tensor_of(device, {size}, random_floats(size, 1));
  Tensor mean(device, {size}, DType::f32), variance(device, {size}, DType::f32), packed = values;
  fill_zero(mean), fill_zero(variance);
  for (int step = 1; step <= kSteps; ++step)
    kernels_of(tier).adamw(device.threads(), tensor_of(device, {size}, random_floats(size, uint64_t(10 + step))),
                           step_of(step), values, mean, variance, packed);
  return {floats_of(values), floats_of(mean), floats_of(variance)};
}

// The bf16 panels written in the pass are those of the values it leaves, and those that pack_bf16 and set_rows make.
TEST(AdamW, WritesBf16Panels) {
  const int64_t rows = 70, cols = 300;
  for (Tier tier : supported_tiers())
    for (int threads : {1, 3}) {
      const Kernels& kernels = kernels_of(tier);
      GuardedDevice device(threads);
      Parameter p(device, "p", Parameter::Layout::panels, {{"p", rows}}, cols, {DType::bf16});
      p.set_rows(0, rows, random_floats(rows * cols, 1).data());
      Tensor values = p.values(), packed = p.packed(), mean(device, {p.stored()}, DType::f32),
             variance(device, {p.stored()}, DType::f32), again(device, {p.stored()}, DType::bf16);
      fill_zero(mean), fill_zero(variance);
      const auto bits_of = [](const Tensor& t) {
        std::vector<uint16_t> bits;
        for (int64_t i = 0; i < t.size(); ++i) bits.push_back(t.data<BFloat16>()[i].bits);
        return bits;
      };
      const auto before = bits_of(packed);
      kernels.pack_bf16(device.threads(), values, again);
      EXPECT_EQ(bits_of(again), before);
      kernels.adamw(device.threads(), tensor_of(device, {p.stored()}, random_floats(p.stored(), 2)), step_of(1), values,
                    mean, variance, packed);
      EXPECT_NE(bits_of(packed), before);
      kernels.pack_bf16(device.threads(), values, again);
      EXPECT_EQ(bits_of(packed), bits_of(again));
    }
}

TEST(AdamW, FollowsTheDefinition) {
  for (int64_t size : {1, 15, 16, 100, 20011}) {
    const State first = run(Tier::portable, 1, size);
    for (Tier tier : supported_tiers())
      for (int threads : {1, 3}) {
        const State other = run(tier, threads, size);
        expect_same_bits(other.values, first.values, "values");
        expect_same_bits(other.mean, first.mean, "mean");
        expect_same_bits(other.variance, first.variance, "variance");
      }
    const auto start = random_floats(size, 1);
    std::vector<double> w(start.begin(), start.end()), m(start.size(), 0.0), v(start.size(), 0.0);
    for (int step = 1; step <= kSteps; ++step) {
      const AdamWStep s = step_of(step);
      const auto gradient = random_floats(size, uint64_t(10 + step));
      for (size_t i = 0; i < w.size(); ++i) {
        const double g = double(gradient[i]) * s.gradient_scale;
        m[i] = s.beta1 * m[i] + (1.0 - s.beta1) * g;
        v[i] = s.beta2 * v[i] + (1.0 - s.beta2) * g * g;
        w[i] -= s.learning_rate *
                (m[i] / s.correction1 / (std::sqrt(v[i] / s.correction2) + s.eps) + s.weight_decay * w[i]);
      }
    }
    // Per step: 2 roundings of a moment's terms, 3 of the value on top of its update's 10 (an update is below 0.1).
    for (size_t i = 0; i < w.size(); ++i) {
      ASSERT_LE(std::fabs(first.mean[i] - m[i]), 3 * kSteps * kUnit * 2.0);
      ASSERT_LE(std::fabs(first.variance[i] - v[i]), 4 * kSteps * kUnit * 4.0);
      ASSERT_LE(std::fabs(first.values[i] - w[i]), kSteps * kUnit * (3 * (std::fabs(w[i]) + 0.1) + 10 * 0.1));
    }
  }
}

TEST(SumOfSquares, AllTiersAndThreads) {
  for (int64_t size : {1, 15, 4096, 4097, 100003}) {
    const auto x = random_floats(size, 3);
    double wanted = 0, first = 0;
    for (float v : x) wanted += double(v) * double(v);
    for (Tier tier : supported_tiers())
      for (int threads : {1, 3}) {
        GuardedDevice device(threads);
        const double got = kernels_of(tier).sum_of_squares(device.threads(), tensor_of(device, {size}, x));
        if (first == 0) first = got;
        ASSERT_EQ(got, first);
      }
    // A lane sums 256 squares, a tree of four joins sixteen.
    ASSERT_LE(std::fabs(first - wanted), 260 * kUnit * wanted);
  }
}

TEST(AdamW, Speed) {
  if (!is_timing()) return;
  const int64_t size = 16 << 20;
  Device device(1);
  const Tensor gradient = tensor_of(device, {size}, random_floats(size, 1));
  Tensor values = tensor_of(device, {size}, random_floats(size, 2)), mean(device, {size}, DType::f32),
         variance(device, {size}, DType::f32), packed = values;
  fill_zero(mean), fill_zero(variance);
  for (Tier tier : timed_tiers()) {
    const Kernels& kernels = kernels_of(tier);
    const double n = double(size);
    time_call(fmt::format("adamw [{}]", name_of(tier)), n, 28 * n,
              [&] { kernels.adamw(device.threads(), gradient, step_of(1), values, mean, variance, packed); });
    time_call(fmt::format("sum_of_squares [{}]", name_of(tier)), n, 4 * n,
              [&] { kernels.sum_of_squares(device.threads(), gradient); });
  }
}

}  // namespace
}  // namespace fude
