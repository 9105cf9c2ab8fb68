#include "ops/adamw.h"

#include "backend/cpu/tier.h"
#include "tensor/split_float.h"
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

// What an optimiser holds of one parameter.
struct Trained {
  Trained(Device& device, Parameter::Layout layout, int64_t rows, int64_t cols, DType compute)
      : parameter(device, "p", layout, {{"p", rows}}, cols, {compute}),
        mean(device, {parameter.stored()}, DType::f32),
        variance(device, {parameter.stored()}, DType::f32) {
    fill_zero(mean), fill_zero(variance);
    parameter.set_rows(0, rows, random_floats(rows * cols, 1).data());
  }
  void step(const Kernels& kernels, int number) {
    Device& device = mean.device();
    const auto gradient = random_floats(parameter.stored(), uint64_t(10 + number));
    kernels.adamw(device.threads(), tensor_of(device, {parameter.stored()}, gradient), step_of(number), mean, variance,
                  parameter);
  }
  State state() const {
    State state{std::vector<float>(size_t(parameter.count())), floats_of(mean), floats_of(variance)};
    parameter.get_rows(0, parameter.rows(), state.values.data());
    return state;
  }

  Parameter parameter;
  Tensor mean, variance;
};

State run(Tier tier, int threads, int64_t size) {
  GuardedDevice device(threads);
  Trained trained(device, Parameter::Layout::vector, size, 1, DType::f32);
  for (int step = 1; step <= kSteps; ++step) trained.step(kernels_of(tier), step);
  return trained.state();
}

// A master in halves goes the same way as one in f32, bit for bit, and what is multiplied with is its rounded half.
TEST(AdamW, UpdatesHalvesAsWhole) {
  const int64_t rows = 70, cols = 300;
  for (Tier tier : supported_tiers())
    for (int threads : {1, 3}) {
      GuardedDevice device(threads);
      Trained whole(device, Parameter::Layout::panels, rows, cols, DType::f32);
      Trained halves(device, Parameter::Layout::panels, rows, cols, DType::bf16);
      for (int step = 1; step <= kSteps; ++step) {
        whole.step(kernels_of(tier), step), halves.step(kernels_of(tier), step);
        const State wanted = whole.state(), got = halves.state();
        expect_same_bits(got.values, wanted.values, "values");
        expect_same_bits(got.mean, wanted.mean, "mean");
        expect_same_bits(got.variance, wanted.variance, "variance");
        Parameter rounded(device, "p", Parameter::Layout::panels, {{"p", rows}}, cols, {DType::bf16, false});
        rounded.set_rows(0, rows, wanted.values.data());
        for (int64_t row = 0; row < rows; ++row)
          for (int64_t col = 0; col < cols; ++col) {
            const int64_t at = paired_position(rounded.position(row, col));
            ASSERT_EQ(halves.parameter.packed().data<BFloat16>()[at].bits, rounded.packed().data<BFloat16>()[at].bits);
          }
      }
    }
}

// With a rate of zero nothing changes, whatever the numbers: ties, the largest, subnormal ones, NaN.
TEST(AdamW, SplitsAsSplitFloatDoes) {
  std::vector<float> values(64 * 32);
  const std::vector<uint32_t> special = {0x00000000, 0x80000000, 0x00000001, 0x807FFFFF, 0x7F7FFFFF, 0xFF7F8000,
                                         0x7F800000, 0xFF800000, 0x7F800001, 0xFFFFFFFF, 0x3F808000, 0xBF818000,
                                         0x00008000, 0x3F807FFF, 0x3F808001, 0x7F7F7FFF};
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = std::bit_cast<float>(i < 512 ? special[i % 16] : uint32_t(i * 2654435761u));
  for (Tier tier : supported_tiers()) {
    GuardedDevice device(1);
    Trained trained(device, Parameter::Layout::panels, 64, 32, DType::bf16);
    trained.parameter.set_rows(0, 64, values.data());
    AdamWStep step = step_of(1);
    step.learning_rate = 0;
    const std::vector<float> ones(values.size(), 1.0f);
    kernels_of(tier).adamw(device.threads(), tensor_of(device, {64 * 32}, ones), step, trained.mean, trained.variance,
                           trained.parameter);
    std::vector<float> after(values.size());
    trained.parameter.get_rows(0, 64, after.data());
    for (size_t i = 0; i < values.size(); ++i) {
      const int64_t at = paired_position(trained.parameter.position(int64_t(i) / 32, int64_t(i) % 32));
      const BFloat16 upper = trained.parameter.packed().data<BFloat16>()[at];
      if (std::isnan(values[i])) {
        ASSERT_TRUE(std::isnan(after[i]) && std::isnan(float(upper)));
        continue;
      }
      ASSERT_EQ(std::bit_cast<uint32_t>(after[i]), std::bit_cast<uint32_t>(values[i])) << name_of(tier);
      ASSERT_EQ(upper.bits, SplitFloat(values[i]).upper.bits) << name_of(tier) << ' ' << values[i];
    }
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
  const int64_t rows = 4096, cols = 4096, size = rows * cols;
  Device device(1);
  const Tensor gradient = tensor_of(device, {size}, random_floats(size, 1));
  for (Tier tier : timed_tiers()) {
    const Kernels& kernels = kernels_of(tier);
    for (DType type : {DType::f32, DType::bf16}) {
      Trained trained(device, Parameter::Layout::panels, rows, cols, type);
      time_call(fmt::format("adamw {} [{}]", name_of(type), name_of(tier)), double(size), 28 * double(size), [&] {
        kernels.adamw(device.threads(), gradient, step_of(1), trained.mean, trained.variance, trained.parameter);
      });
    }
    time_call(fmt::format("sum_of_squares [{}]", name_of(tier)), double(size), 4 * double(size),
              [&] { kernels.sum_of_squares(device.threads(), gradient); });
  }
}

}  // namespace
}  // namespace fude
