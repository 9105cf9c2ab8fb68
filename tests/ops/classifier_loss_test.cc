#include "ops/classifier_loss.h"

#include <algorithm>

#include "autograd/closure_tape.h"
#include "backend/cpu/tier.h"
#include "base/random.h"
#include "ops/linear.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

struct Result {
  std::vector<float> loss, dx, dweight, stored;
};

struct Case {
  int64_t rows, cols, classes;
  float scale, inverse_temperature;
  std::vector<float> x, weight;
  std::vector<int32_t> targets;

  Case(int64_t rows, int64_t cols, int64_t classes, float scale = 0.25f, float inverse_temperature = 1.0f)
      : rows(rows),
        cols(cols),
        classes(classes),
        scale(scale),
        inverse_temperature(inverse_temperature),
        x(random_floats(rows * cols, 1)),
        weight(random_floats(classes * cols, 2)) {
    for (int64_t n = 0; n < rows; ++n) targets.push_back(n % 5 == 3 ? -1 : int32_t((n * 37 + 11) % classes));
    if (classes > 1024) targets[0] = int32_t(classes - 1);
  }

  // Rows differ, and some count for nothing.
  float slope_of(int64_t row) const { return scale * float(row % 4 - 1); }

  Result run(Tier tier, int threads, int passes = 1) const {
    GuardedDevice device(threads);
    const Pass pass{device, kernels_of(tier)};
    Parameter w(device, "w", Parameter::Layout::panels, {{"w", classes}}, cols);
    w.set_rows(0, classes, weight.data());
    const Tensor input = tensor_of(device, {rows, cols}, x);
    GradientStore gradients(device);
    Result result;
    const TargetSlope slope = [this](int64_t row, float) { return slope_of(row); };
    for (int i = 0; i < passes; ++i)
      result.loss = classifier_loss(pass, input, w, targets, {&gradients, slope, inverse_temperature});
    expect_same_bits(classifier_loss(pass, input, w, targets, {.inverse_temperature = inverse_temperature}),
                     result.loss, "loss alone");
    result.dx = floats_of(gradients.take(input.id()));
    result.stored = floats_of(gradients.of(w));
    result.dweight.resize(weight.size());
    w.get_rows_of(gradients.of(w), 0, classes, result.dweight.data());
    return result;
  }

  Array reference(const Array& x_NC, const Array& w_VC) const {
    Array loss;
    for (int64_t n = 0; n < rows; ++n) {
      if (targets[size_t(n)] < 0) {
        loss.push_back(0);
        continue;
      }
      Array logits(static_cast<size_t>(classes));
      double top = -INFINITY;
      for (int64_t v = 0; v < classes; ++v) {
        for (int64_t c = 0; c < cols; ++c) logits[size_t(v)] += x_NC[size_t(n * cols + c)] * w_VC[size_t(v * cols + c)];
        logits[size_t(v)] *= inverse_temperature;
        top = std::max(top, logits[size_t(v)].real());
      }
      Complex total = 0;
      for (Complex logit : logits) total += std::exp(logit - top);
      loss.push_back(top + std::log(total) - logits[size_t(targets[size_t(n)])]);
    }
    return loss;
  }
};

void check(const Case& c) {
  SCOPED_TRACE(fmt::format("{} x {} x {}", c.rows, c.cols, c.classes));
  const Result first = c.run(Tier::portable, 1);
  for (Tier tier : supported_tiers()) {
    const Result other = c.run(tier, tier == Tier::portable ? 3 : 2);
    expect_same_bits(other.loss, first.loss, "loss");
    expect_same_bits(other.dx, first.dx, "dx");
    expect_same_bits(other.stored, first.stored, "dweight");
  }
  Array x(c.x.begin(), c.x.end()), w(c.weight.begin(), c.weight.end());
  const double terms = double(c.cols + std::max(c.rows, c.classes)) + 20;
  // Losses are differences of logits: their scale is the largest logit or loss.
  double scale = 0;
  const Array loss = c.reference(x, w);
  for (Complex l : loss) scale = std::max(scale, std::fabs(l.real()));
  for (size_t n = 0; n < loss.size(); ++n)
    ASSERT_LE(std::fabs(first.loss[n] - loss[n].real()), terms * kUnit * scale) << n;

  const Result twice = c.run(Tier::portable, 2, 2);
  const auto check_gradient = [&](Array& probed, const std::vector<float>& gradient,
                                  const std::vector<float>& doubled) {
    double most = 0;
    for (float g : gradient) most = std::max(most, double(std::fabs(g)));
    ASSERT_GT(most, 0.0);
    for (size_t i = 0; i < gradient.size(); ++i)
      ASSERT_LE(std::fabs(doubled[i] - 2.0 * gradient[i]), 2 * terms * kUnit * most);
    const auto derivative = [&] {
      double total = 0;
      const Array losses = c.reference(x, w);
      for (size_t n = 0; n < losses.size(); ++n) total += losses[n].imag() / kStep * double(c.slope_of(int64_t(n)));
      return total;
    };
    for (size_t probe = 0; probe < 6; ++probe) {
      const size_t at = probe * (probed.size() - 1) / 5;
      probed[at] += Complex(0, kStep);
      ASSERT_LE(std::fabs(derivative() - gradient[at]), terms * kUnit * most) << at;
      probed[at] = probed[at].real();
    }
    Random random{5, 0};
    double got = 0;
    for (size_t i = 0; i < probed.size(); ++i) {
      const double sign = random.below(2) ? 1 : -1;
      probed[i] += Complex(0, sign * kStep);
      got += sign * double(gradient[i]);
    }
    ASSERT_LE(std::fabs(derivative() - got), 4 * terms * kUnit * most * std::sqrt(double(probed.size())));
    for (Complex& v : probed) v = v.real();
  };
  check_gradient(x, first.dx, twice.dx);
  check_gradient(w, first.dweight, twice.dweight);
}

TEST(ClassifierLoss, SmallAndOdd) {
  check({1, 5, 7});
  check({9, 17, 33});
  check({66, 8, 100});
}

TEST(ClassifierLoss, ManyClasses) { check({5, 6, 2100}); }

// More rows with a target than a chunk of logits holds.
TEST(ClassifierLoss, ManyRows) { check({1400, 4, 50}); }

TEST(ClassifierLoss, ZeroScaleGivesZeroGradients) {
  const Result result = Case(9, 5, 40, 0.0f).run(choose_tier(), 2);
  for (float g : result.dx) ASSERT_EQ(g, 0.0f);
  for (float g : result.stored) ASSERT_EQ(g, 0.0f);
}

TEST(ClassifierLoss, Temperature) {
  check({9, 17, 33, 0.25f, 0.7f});
  check({5, 6, 2100, 0.25f, 1.5f});
}

// The slope sees the log-probability that the loss says, once for each row with a target.
TEST(ClassifierLoss, SlopeIsAskedOnce) {
  const Case c(1400, 8, 100);
  Device device(3);
  const Pass pass{device, default_kernels()};
  Parameter w(device, "w", Parameter::Layout::panels, {{"w", c.classes}}, c.cols);
  w.set_rows(0, c.classes, c.weight.data());
  GradientStore gradients(device);
  std::vector<float> seen(size_t(c.rows), 0.0f);
  std::vector<int> times(size_t(c.rows), 0);
  const auto loss = classifier_loss(pass, tensor_of(device, {c.rows, c.cols}, c.x), w, c.targets,
                                    {&gradients, [&](int64_t row, float logprob) {
                                       seen[size_t(row)] = logprob, ++times[size_t(row)];
                                       return 1.0f;
                                     }});
  for (size_t n = 0; n < loss.size(); ++n) {
    EXPECT_EQ(times[n], c.targets[n] < 0 ? 0 : 1);
    EXPECT_EQ(seen[n], -loss[n]);
  }
}

TEST(ClassifierLoss, NoTargets) {
  Device device(1);
  Parameter w(device, "w", Parameter::Layout::panels, {{"w", 7}}, 2);
  const Tensor x = tensor_of(device, {2, 2}, {1, 2, 3, 4});
  GradientStore gradients(device);
  const auto loss =
      classifier_loss({device, default_kernels()}, x, w, {-1, -1}, {&gradients, [](int64_t, float) { return 1.0f; }});
  EXPECT_EQ(loss, std::vector<float>({0, 0}));
  for (float g : floats_of(gradients.take(x.id()))) EXPECT_EQ(g, 0.0f);
}

TEST(ClassifierLoss, RefusesUnknownTargets) {
  Device device(1);
  const Parameter w(device, "w", Parameter::Layout::panels, {{"w", 7}}, 2);
  const Tensor x = tensor_of(device, {1, 2}, {1, 2});
  const Pass pass{device, default_kernels()};
  EXPECT_THROW(classifier_loss(pass, x, w, {7}), Error);
  EXPECT_THROW(classifier_loss(pass, x, w, {-2}), Error);
  GradientStore gradients(device);
  EXPECT_THROW(classifier_loss(pass, x, w, {1}, {&gradients}), Error);
}

// Sampler and trainer: the log-probability of a row alone is minus the loss of that row among many, bit for bit.
TEST(LogitSums, AreTheLossBitForBit) {
  for (Tier tier : supported_tiers())
    for (const Case& c : {Case(70, 24, 100), Case(6, 16, 3001)}) {
      const Result all = c.run(tier, 3);
      GuardedDevice device(1);
      const Pass pass{device, kernels_of(tier)};
      Parameter w(device, "w", Parameter::Layout::panels, {{"w", c.classes}}, c.cols);
      w.set_rows(0, c.classes, c.weight.data());
      for (int64_t n = 0; n < c.rows; ++n) {
        if (c.targets[size_t(n)] < 0) continue;
        const Tensor x = tensor_of(device, {1, c.cols}, {c.x.begin() + n * c.cols, c.x.begin() + (n + 1) * c.cols});
        const Tensor logits = linear(pass, x, w);
        const float wanted = floats_of(logits)[size_t(c.targets[size_t(n)])];
        const float got = wanted - logit_sums(pass, logits, {1.0f})[0].log_sum;
        ASSERT_EQ(got, -all.loss[size_t(n)]) << name_of(tier) << ", row " << n;
      }
    }
}

// The middle row is not tempered: its mass is that of log_sum.
TEST(LogitSums, MassIsThatOfTheTemperature) {
  const int64_t rows = 3, classes = 3001;
  std::vector<float> logits = random_floats(rows * classes, 3);
  for (float& logit : logits) logit *= 10;
  const std::vector<float> inverses = {float(1 / 0.7), 1.0f, float(1 / 0.7)};
  for (Tier tier : supported_tiers()) {
    GuardedDevice device(2);
    const Pass pass{device, kernels_of(tier)};
    const auto sums = logit_sums(pass, tensor_of(device, {rows, classes}, logits), inverses);
    for (int64_t n = 0; n < rows; ++n) {
      const float *row = logits.data() + n * classes, top = *std::max_element(row, row + classes);
      ASSERT_EQ(sums[size_t(n)].top, top);
      double mass = 0;
      for (int64_t v = 0; v < classes; ++v)
        mass += std::exp((double(row[v]) - double(top)) * double(inverses[size_t(n)]));
      ASSERT_LE(std::fabs(sums[size_t(n)].mass - mass), (double(classes) / 1024 + 80) * 0x1p-23 * mass)
          << name_of(tier) << ", row " << n;
    }
  }
}

// A row by itself has the sums that it has among others; what is masked adds nothing to them.
TEST(LogitSums, ARowAloneIsARowAmongOthers) {
  const int64_t rows = 4, classes = 3001;
  std::vector<float> logits = random_floats(rows * classes, 3);
  for (int64_t v = 0; v < classes; ++v) {
    if (v / 700 % 2 == 0) logits[size_t(classes + v)] = -INFINITY;
    if (v != 1500) logits[size_t(2 * classes + v)] = -INFINITY;
    logits[size_t(3 * classes + v)] = -INFINITY;
  }
  for (Tier tier : supported_tiers())
    for (const float inverse : {1.0f, 1.25f}) {
      GuardedDevice device(2);
      const Pass pass{device, kernels_of(tier)};
      const auto sums =
          logit_sums(pass, tensor_of(device, {rows, classes}, logits), std::vector<float>(size_t(rows), inverse));
      for (int64_t n = 0; n < rows; ++n) {
        const LogitSums alone = kernels_of(tier).row_sums(logits.data() + n * classes, classes, inverse);
        ASSERT_EQ(alone.top, sums[size_t(n)].top) << name_of(tier);
        if (n == 3) continue;  // nothing is left to be summed
        ASSERT_EQ(alone.log_sum, sums[size_t(n)].log_sum) << name_of(tier);
        ASSERT_EQ(alone.mass, sums[size_t(n)].mass) << name_of(tier);
      }
      ASSERT_EQ(kernels_of(tier).row_sums(logits.data() + 2 * classes, classes, inverse).mass, 1.0f);
    }
}

TEST(ClassifierLoss, Speed) {
  if (!is_timing()) return;
  const int64_t rows = 64, classes = 50257;
  const double n = double(rows * classes);
  Device device(1);
  const std::vector<float> values = random_floats(rows * classes, 1);
  const std::vector<int32_t> targets(size_t(rows), 7);
  std::vector<float> loss(static_cast<size_t>(rows));
  const std::vector<float> inverses(size_t(rows), 1.0f);
  std::vector<LogitSums> sums(static_cast<size_t>(rows));
  Tensor logits(device, {rows, classes}, DType::f32);
  for (Tier tier : timed_tiers()) {
    const Kernels& kernels = kernels_of(tier);
    const auto run = [&](float scale) {
      const TargetSlope slope = [&](int64_t, float) { return scale; };
      kernels.softmax_loss(device.threads(), logits, classes, {targets.data(), 1.0f, 0, scale == 0 ? nullptr : &slope},
                           loss.data());
    };
    const auto restore = [&] { std::copy(values.begin(), values.end(), logits.data<float>()); };
    time_call(
        fmt::format("softmax_loss [{}]", name_of(tier)), n, 4 * n, [&] { run(0.0f); }, restore);
    time_call(
        fmt::format("softmax_loss and gradient [{}]", name_of(tier)), n, 8 * n, [&] { run(1.0f); }, restore);
    time_call(
        fmt::format("logit_sums [{}]", name_of(tier)), n, 4 * n,
        [&] { kernels.logit_sums(device.threads(), logits, inverses.data(), sums.data()); }, restore);
  }
}

TEST(LogitSums, MasksAndExtremes) {
  for (Tier tier : supported_tiers()) {
    GuardedDevice device(1);
    const Pass pass{device, kernels_of(tier)};
    const int64_t classes = 3000;
    std::vector<float> logits = random_floats(classes, 4);
    for (int64_t v = 0; v < 2000; ++v) logits[size_t(v)] = -INFINITY;  // a whole block of 1,024 and more
    logits[2500] = 1e4f, logits[2501] = 1e4f, logits[2502] = -1e4f;
    const auto sums = [&](float inverse_temperature) {
      return logit_sums(pass, tensor_of(device, {1, classes}, logits), {inverse_temperature})[0];
    };
    EXPECT_EQ(sums(1.0f).top, 1e4f);
    EXPECT_NEAR(sums(1.0f).log_sum, 1e4 + std::log(2.0), 1e4 * 4 * kUnit);
    EXPECT_NEAR(sums(1.5f).mass, 2, 2 * 83 * 0x1p-23);
    logits[2999] = NAN;
    EXPECT_TRUE(std::isnan(sums(1.0f).log_sum));
  }
}

}  // namespace
}  // namespace fude
