#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/json.h"
#include "base/random.h"
#include "train/checkpoint_file.h"
#include "train/muon.h"

namespace fude {
namespace {

constexpr int64_t kRows = 48, kCols = 24;  // not a multiple of the panel: padding rows exist

// A small set of parameters with made-up gradients.
struct Bench {
  explicit Bench(int threads = 1, DType compute = DType::f32) : device(threads), gradients(device) {
    matrix = Parameter(device, "block.w", Parameter::Layout::panels, {{"q", 32}, {"k", 8}, {"v", 8}}, kCols, {compute});
    table = Parameter(device, "embedding", Parameter::Layout::panels, {{"embedding", kRows}}, kCols, {compute});
    vector = Parameter(device, "norm", Parameter::Layout::vector, {{"norm", kRows}}, 1);
    uint64_t stream = 0;
    for (Parameter* p : all()) {
      Random random{.seed = 7, .stream = stream++};
      std::vector<float> values(size_t(p->count()));
      for (float& x : values) x = float(random.normal());
      p->set_rows(0, p->rows(), values.data());
    }
  }
  std::vector<Parameter*> all() { return {&matrix, &table, &vector}; }

  static double gradient_of(int step, size_t which, int64_t row, int64_t col) {
    Random random{.seed = uint64_t(100 + step), .stream = which, .counter = uint64_t(row * kCols + col)};
    return float(0.1 * random.normal());
  }
  void fill_gradients(int step) {
    gradients.clear();
    for (size_t which = 0; which < 3; ++which) {
      const Parameter& p = *all()[which];
      Tensor g = gradients.into(p).tensor;
      fill_zero(g);
      for (int64_t row = 0; row < p.rows(); ++row)
        for (int64_t col = 0; col < p.cols(); ++col)
          g.data<float>()[p.position(row, col)] = float(gradient_of(step, which, row, col));
    }
  }

  Device device;
  Parameter matrix, table, vector;
  GradientStore gradients;
};

std::vector<float> stored(const Tensor& tensor) { return {tensor.data<float>(), tensor.data<float>() + tensor.size()}; }

OptimizerOptions with_muon() {
  OptimizerOptions options;
  options.uses_muon = [](const Parameter& p) { return p.name().starts_with("block"); };
  return options;
}

TEST(Optimizer, AdamWFollowsAnF64Reference) {
  Bench bench;
  const OptimizerOptions options;
  Optimizer optimizer(bench.device, default_kernels(), bench.all(), options);
  struct State {
    double w, m = 0, v = 0;
  };
  std::vector<std::vector<State>> reference;
  for (const Parameter* p : bench.all()) {
    std::vector<float> values(size_t(p->count()));
    p->get_rows(0, p->rows(), values.data());
    reference.emplace_back();
    for (float x : values) reference.back().push_back({double(x)});
  }
  for (int step = 1; step <= 10; ++step) {
    const double rate = 1e-2 * step / 10;
    bench.fill_gradients(step);
    double squares = 0;
    for (size_t which = 0; which < 3; ++which)
      for (int64_t i = 0; i < bench.all()[which]->count(); ++i) {
        const int64_t cols = bench.all()[which]->cols();
        squares += std::pow(Bench::gradient_of(step, which, i / cols, i % cols), 2);
      }
    const double norm = std::sqrt(squares), scale = std::min(1.0, 1.0 / norm);
    ASSERT_GT(norm, 1.0);  // clipping is at work
    EXPECT_NEAR(optimizer.step(bench.gradients, float(rate)), norm, 1e-5 * norm);
    for (size_t which = 0; which < 3; ++which) {
      const Parameter& p = *bench.all()[which];
      for (int64_t i = 0; i < p.count(); ++i) {
        State& s = reference[which][size_t(i)];
        const double g = scale * Bench::gradient_of(step, which, i / p.cols(), i % p.cols());
        s.m = 0.9 * s.m + 0.1 * g;
        s.v = 0.95 * s.v + 0.05 * g * g;
        s.w *= 1 - rate * (p.is_matrix() ? 0.1 : 0.0);
        s.w -= rate * (s.m / (1 - std::pow(0.9, step))) / (std::sqrt(s.v / (1 - std::pow(0.95, step))) + 1e-8);
      }
    }
  }
  EXPECT_EQ(optimizer.steps_done(), 10);
  for (size_t which = 0; which < 3; ++which) {
    const Parameter& p = *bench.all()[which];
    std::vector<float> values(size_t(p.count()));
    p.get_rows(0, p.rows(), values.data());
    // Ten steps, each with a handful of roundings of a value of size |w| and of an update of at most ~4 rates.
    const double epsilon = std::numeric_limits<float>::epsilon();
    for (size_t i = 0; i < values.size(); ++i) {
      const double w = reference[which][i].w;
      EXPECT_NEAR(values[i], w, 10 * epsilon * (2 * std::abs(w) + 10 * 4e-2)) << p.name() << " " << i;
    }
    // Padding rows stay zero.
    for (int64_t row = p.rows(); p.is_matrix() && row < (p.rows() + kPanel - 1) / kPanel * kPanel; ++row)
      EXPECT_EQ(p.values().data<float>()[p.position(row, 0)], 0.0f);
  }
}

TEST(Optimizer, SavedAndRestoredContinuesBitForBit) {
  const std::string folder = testing::TempDir() + "/fude_optimizer_test";
  Bench straight(2), resumed(1);
  Optimizer one(straight.device, default_kernels(), straight.all(), with_muon());
  for (int step = 0; step < 3; ++step) straight.fill_gradients(step), one.step(straight.gradients, 1e-2f);
  NamedTensors tensors = one.state();
  EXPECT_EQ(tensors.front().first, "block.w.momentum");
  EXPECT_EQ(tensors.size(), 5u);
  for (const Parameter* p : straight.all()) tensors.emplace_back(p->name(), p->values());
  save_checkpoint(folder, tensors, {{"step", one.steps_done()}});
  for (int step = 3; step < 6; ++step) straight.fill_gradients(step), one.step(straight.gradients, 1e-2f);

  Optimizer other(resumed.device, default_kernels(), resumed.all(), with_muon());
  const Checkpoint checkpoint(folder);
  tensors = other.state();
  for (const Parameter* p : resumed.all()) tensors.emplace_back(p->name(), p->values());
  checkpoint.restore(tensors);
  other.set_steps_done(json_integer(checkpoint.user(), "step", "user"));
  for (int step = 3; step < 6; ++step) resumed.fill_gradients(step), other.step(resumed.gradients, 1e-2f);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(stored(straight.all()[i]->values()), stored(resumed.all()[i]->values())) << straight.all()[i]->name();
  for (size_t i = 0; i < one.state().size(); ++i)
    EXPECT_EQ(stored(one.state()[i].second), stored(other.state()[i].second)) << one.state()[i].first;
}

TEST(Optimizer, LeavesEverythingAsItIsWhenTheGradientIsNotFinite) {
  Bench bench;
  Optimizer optimizer(bench.device, default_kernels(), bench.all(), with_muon());
  bench.fill_gradients(0);
  optimizer.step(bench.gradients, 1e-2f);
  const auto before = stored(bench.matrix.values());
  bench.fill_gradients(1);
  bench.gradients.of(bench.vector).data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(optimizer.step(bench.gradients, 1e-2f)));
  EXPECT_EQ(stored(bench.matrix.values()), before);
  EXPECT_EQ(optimizer.steps_done(), 1);
}

TEST(Optimizer, SkipsParametersWithoutGradientAndRefusesTwins) {
  Bench bench;
  Optimizer optimizer(bench.device, default_kernels(), bench.all(), {});
  const auto before = stored(bench.table.values());
  EXPECT_EQ(optimizer.step(bench.gradients, 1.0f), 0.0);
  EXPECT_EQ(stored(bench.table.values()), before);
  EXPECT_THROW(Optimizer(bench.device, default_kernels(), {&bench.table, &bench.table}, {}), Error);
}

TEST(Optimizer, RunsOnADeviceThatOnlyCounts) {
  Device device(1, true);
  GradientStore gradients(device);
  Parameter matrix(device, "block.w", Parameter::Layout::panels, {{"q", 32}, {"k", 100}}, 64);
  gradients.into(matrix);
  Optimizer optimizer(device, counting_kernels(), {&matrix}, with_muon());
  optimizer.step(gradients, 1e-2f);
  EXPECT_EQ(device.usage().now[int(Purpose::optimizer)], matrix.stored() * 4);
}

// The eigenvalues of XXᵀ (or XᵀX, the smaller one), by Jacobi's rotations.
std::vector<double> singular_values(const std::vector<float>& x, int64_t rows, int64_t cols) {
  const int64_t n = std::min(rows, cols), other = std::max(rows, cols);
  const auto at = [&](int64_t i, int64_t j) {
    return double(rows <= cols ? x[size_t(i * cols + j)] : x[size_t(j * cols + i)]);
  };
  std::vector<std::vector<double>> a(static_cast<size_t>(n), std::vector<double>(static_cast<size_t>(n)));
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t k = 0; k < other; ++k) a[size_t(i)][size_t(j)] += at(i, k) * at(j, k);
  for (int sweep = 0; sweep < 30; ++sweep)
    for (size_t p = 0; p < size_t(n); ++p)
      for (size_t q = p + 1; q < size_t(n); ++q) {
        if (std::abs(a[p][q]) < 1e-14) continue;
        const double theta = 0.5 * std::atan2(2 * a[p][q], a[q][q] - a[p][p]);
        const double c = std::cos(theta), s = std::sin(theta);
        for (size_t k = 0; k < size_t(n); ++k) {
          const double u = a[k][p], v = a[k][q];
          a[k][p] = c * u - s * v, a[k][q] = s * u + c * v;
        }
        for (size_t k = 0; k < size_t(n); ++k) {
          const double u = a[p][k], v = a[q][k];
          a[p][k] = c * u - s * v, a[q][k] = s * u + c * v;
        }
      }
  std::vector<double> values;
  for (size_t i = 0; i < size_t(n); ++i) values.push_back(std::sqrt(std::max(0.0, a[i][i])));
  return values;
}

TEST(Muon, SingularValuesComeNearOne) {
  Device device(2);
  const Pass pass{device, default_kernels()};
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{40, 70}, {70, 40}, {33, 33}, {1, 5}, {96, 32}}) {
    Tensor x(device, {rows, cols}, DType::f32);
    Random random{.seed = 3};
    for (int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = float(random.normal());
    const auto before = singular_values(stored(x), rows, cols);
    orthogonalize(pass, x);
    EXPECT_EQ(x.shape(), (Shape{rows, cols}));
    double frobenius = 0;
    for (double s : before) frobenius += s * s;
    // The polynomial lifts every value of at least about a hundredth of the norm beyond 0.6 in five steps; smaller ones
    // may stay below. They are few: the order of singular values is kept near 0.
    const auto after = singular_values(stored(x), rows, cols);
    const auto small =
        std::count_if(before.begin(), before.end(), [&](double s) { return s < 0.02 * std::sqrt(frobenius); });
    EXPECT_LT(*std::max_element(after.begin(), after.end()), 1.25) << rows << " x " << cols;
    EXPECT_LE(std::count_if(after.begin(), after.end(), [](double s) { return s < 0.6; }), small)
        << rows << " x " << cols;
    EXPECT_LE(small, 4) << rows << " x " << cols;
  }
  Tensor zero(device, {4, 6}, DType::f32);
  fill_zero(zero);
  orthogonalize(pass, zero);
  EXPECT_EQ(stored(zero), std::vector<float>(24, 0.0f));
}

// Newton-Schulz as the paper writes it, in f64.
std::vector<double> reference_direction(std::vector<double> x, int64_t rows, int64_t cols) {
  const bool turned = rows > cols;
  const int64_t r = std::min(rows, cols), c = std::max(rows, cols);
  std::vector<double> m(x.size());
  double squares = 0;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) {
      m[size_t(turned ? j * c + i : i * c + j)] = x[size_t(i * cols + j)];
      squares += x[size_t(i * cols + j)] * x[size_t(i * cols + j)];
    }
  for (double& v : m) v /= std::sqrt(squares) + 1e-7;
  for (int step = 0; step < 5; ++step) {
    std::vector<double> a(static_cast<size_t>(r * r)), b(a.size()), next(m.size());
    for (int64_t i = 0; i < r; ++i)
      for (int64_t j = 0; j < r; ++j)
        for (int64_t k = 0; k < c; ++k) a[size_t(i * r + j)] += m[size_t(i * c + k)] * m[size_t(j * c + k)];
    for (int64_t i = 0; i < r; ++i)
      for (int64_t j = 0; j < r; ++j) {
        double square = 0;
        for (int64_t k = 0; k < r; ++k) square += a[size_t(i * r + k)] * a[size_t(k * r + j)];
        b[size_t(i * r + j)] = -4.7750 * a[size_t(i * r + j)] + 2.0315 * square;
      }
    for (int64_t i = 0; i < r; ++i)
      for (int64_t j = 0; j < c; ++j) {
        double sum = 3.4445 * m[size_t(i * c + j)];
        for (int64_t k = 0; k < r; ++k) sum += b[size_t(i * r + k)] * m[size_t(k * c + j)];
        next[size_t(i * c + j)] = sum;
      }
    m = next;
  }
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) x[size_t(i * cols + j)] = m[size_t(turned ? j * c + i : i * c + j)];
  return x;
}

TEST(Muon, FollowsAnF64ReferencePerSegment) {
  Bench bench;
  OptimizerOptions options = with_muon();
  options.max_norm = 0;
  Optimizer optimizer(bench.device, default_kernels(), bench.all(), options);
  constexpr size_t kCount = kRows * kCols;
  std::vector<float> start(kCount), values(kCount);
  bench.matrix.get_rows(0, kRows, start.data());
  std::vector<double> w(start.begin(), start.end()), momentum(w.size());
  for (int step = 0; step < 3; ++step) {
    bench.fill_gradients(step);
    optimizer.step(bench.gradients, 1e-3f);
    std::vector<double> direction(w.size());
    for (size_t i = 0; i < w.size(); ++i) {
      const double g = Bench::gradient_of(step, 0, int64_t(i) / kCols, int64_t(i) % kCols);
      momentum[i] = 0.95 * momentum[i] + 0.05 * g;
      direction[i] = 0.95 * momentum[i] + 0.05 * g;
    }
    int64_t first = 0;
    for (const int64_t rows : {32, 8, 8}) {
      const auto from = direction.begin() + first * kCols;
      const auto d = reference_direction({from, from + rows * kCols}, rows, kCols);
      for (size_t i = 0; i < d.size(); ++i) {
        double& value = w[size_t(first * kCols) + i];
        value = value * (1 - 20e-3 * 0.005) - 20e-3 * std::sqrt(std::max(1.0, double(rows) / kCols)) * d[i];
      }
      first += rows;
    }
  }
  bench.matrix.get_rows(0, kRows, values.data());
  // Newton-Schulz magnifies small singular directions by up to 3.4445^5 = 485; steps are 0.02 of entries below 1.
  for (size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(values[i], w[i], 1e-5) << i;
}

// Master values in halves go the way of those in f32, by Muon and by AdamW.
TEST(Muon, UpdatesHalvesAsWhole) {
  Bench whole(1), halves(3, DType::bf16);
  Optimizer a(whole.device, default_kernels(), whole.all(), with_muon());
  Optimizer b(halves.device, default_kernels(), halves.all(), with_muon());
  for (int step = 0; step < 3; ++step) {
    whole.fill_gradients(step), halves.fill_gradients(step);
    a.step(whole.gradients, 0.01f), b.step(halves.gradients, 0.01f);
  }
  for (size_t i = 0; i < 3; ++i) {
    const Parameter &p = *whole.all()[i], &q = *halves.all()[i];
    std::vector<float> wanted(size_t(p.count())), got(wanted.size());
    p.get_rows(0, p.rows(), wanted.data()), q.get_rows(0, q.rows(), got.data());
    EXPECT_EQ(got, wanted) << p.name();
    EXPECT_EQ(q.values().is_empty(), q.is_matrix());
  }
}

TEST(Muon, SameBitsForAnyNumberOfThreads) {
  Bench one(1), many(4);
  Optimizer a(one.device, default_kernels(), one.all(), with_muon());
  Optimizer b(many.device, default_kernels(), many.all(), with_muon());
  for (int step = 0; step < 3; ++step) {
    one.fill_gradients(step), many.fill_gradients(step);
    EXPECT_EQ(a.step(one.gradients, 1e-2f), b.step(many.gradients, 1e-2f));
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(stored(one.all()[i]->values()), stored(many.all()[i]->values()));

  std::vector<float> results[2];  // several panels, the last one not full
  for (const int threads : {1, 4}) {
    Device device(threads);
    Tensor x(device, {100, 150}, DType::f32);
    Random random{.seed = 5};
    for (int64_t i = 0; i < x.size(); ++i) x.data<float>()[i] = float(random.normal());
    orthogonalize({device, default_kernels()}, x);
    results[threads == 1 ? 0 : 1] = stored(x);
  }
  EXPECT_EQ(results[0], results[1]);
}

}  // namespace
}  // namespace fude
