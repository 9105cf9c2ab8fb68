// What adapters add, against its definition, link by link, with ==: every tier, ranks, rows and threads. Their
// gradients against the complex step.
#include "ops/low_rank.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/closure_tape.h"
#include "base/error.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

Parameter panels(Device& device, int64_t rows, int64_t cols, uint64_t seed) {
  Parameter p(device, "w", Parameter::Layout::panels, {{"w", rows}}, cols);
  p.set_rows(0, rows, random_floats(rows * cols, seed).data());
  return p;
}

// Row-major [rows, cols] times a column, one chain for each row.
std::vector<float> product(const std::vector<float>& w, int64_t rows, int64_t cols, const float* x) {
  std::vector<float> y(size_t(rows), 0.0f);
  for (int64_t o = 0; o < rows; ++o)
    for (int64_t k = 0; k < cols; ++k) y[size_t(o)] = std::fmaf(w[size_t(o * cols + k)], x[k], y[size_t(o)]);
  return y;
}

struct LowRankCase {
  int64_t rows, depth, outputs, rank, first, part;
};

void check_low_rank(const LowRankCase& c, int threads) {
  GuardedDevice device(threads);
  const Parameter weight = panels(device, c.outputs, c.depth, 1);
  Adapter adapter;
  adapter.parts[&weight].push_back(
      {panels(device, c.rank, c.depth, 2), panels(device, c.part, c.rank, 3), 0.7f, c.first});
  const std::vector<float> x = random_floats(c.rows * c.depth, 4), a = random_floats(c.rank * c.depth, 2),
                           b = random_floats(c.part * c.rank, 3);
  const Tensor x_NK = tensor_of(device, {c.rows, c.depth}, x);
  // The last two rows have none.
  const std::vector<AdapterRows> adapters = {{&adapter, 0, std::max<int64_t>(0, c.rows - 2)}};
  for (Tier tier : supported_tiers()) {
    const Pass pass{device, kernels_of(tier)};
    Tensor y_NO = linear(pass, x_NK, weight);
    std::vector<float> expected = floats_of(y_NO);
    for (int64_t n = 0; n < adapters[0].count; ++n) {
      const std::vector<float> ax = product(a, c.rank, c.depth, x.data() + n * c.depth),
                               delta = product(b, c.part, c.rank, ax.data());
      for (int64_t o = 0; o < c.part; ++o) {
        const float scaled = delta[size_t(o)] * 0.7f;
        expected[size_t(n * c.outputs + c.first + o)] += scaled;
      }
    }
    add_adapters(pass, x_NK, weight, adapters, y_NO);
    expect_same_bits(floats_of(y_NO), expected, fmt::format("{} {} rows of {}", name_of(tier), c.rows, c.outputs));
  }
}

TEST(LowRank, AsDefined) {
  for (int threads : {1, 3})
    for (int64_t rows : {1, 3, 9, 70})
      for (int64_t rank : {1, 8, 33}) {
        check_low_rank({rows, 48, 100, rank, 0, 100}, threads);
        check_low_rank({rows, 33, 96, rank, 32, 31}, threads);
        check_low_rank({rows, 64, 2100, rank, 50, 2050}, threads);
      }
}

// Adapters of a batch do not know of each other: two in one, in turns, are each by itself.
TEST(LowRank, EachRowHasItsOwn) {
  Device device(2);
  const Pass pass{device, default_kernels()};
  const Parameter weight = panels(device, 64, 40, 1);
  Adapter one, two;
  one.parts[&weight].push_back({panels(device, 4, 40, 2), panels(device, 64, 4, 3), 1.5f, 0});
  two.parts[&weight].push_back({panels(device, 7, 40, 4), panels(device, 32, 7, 5), 0.5f, 32});
  const Tensor x_NK = tensor_of(device, {9, 40}, random_floats(9 * 40, 6));
  const auto run = [&](const std::vector<AdapterRows>& rows) {
    Tensor y_NO = linear(pass, x_NK, weight);
    add_adapters(pass, x_NK, weight, rows, y_NO);
    return y_NO;
  };
  const Tensor none = run({}), all_one = run({{&one, 0, 9}}), all_two = run({{&two, 0, 9}}),
               mixed = run({{&one, 1, 2}, {&two, 3, 4}, {&one, 8, 1}});
  const Tensor* expected[] = {&none, &all_one, &all_one, &all_two, &all_two, &all_two, &all_two, &none, &all_one};
  for (int64_t n = 0; n < 9; ++n)
    expect_same_bits(floats_of(mixed.slice_rows(n, 1)), floats_of(expected[n]->slice_rows(n, 1)),
                     fmt::format("row {}", n));
  EXPECT_NE(floats_of(all_one), floats_of(none));
  EXPECT_NE(floats_of(all_two), floats_of(none));
}

TEST(LowRank, RefusesRowsThatAreNotThere) {
  Device device(1);
  const Parameter weight = panels(device, 32, 8, 1);
  Adapter adapter;
  std::vector<AdapterRows> adapters = {{&adapter, 0, 2}};
  const Tensor x_NK = tensor_of(device, {2, 8}, random_floats(16, 2));
  const Pass pass{device, default_kernels()};
  Tensor y_NO = linear(pass, x_NK, weight);
  EXPECT_NO_THROW(add_adapters(pass, x_NK, weight, adapters, y_NO));  // it has nothing for this weight
  adapters = {{&adapter, 1, 2}};
  EXPECT_THROW(add_adapters(pass, x_NK, weight, adapters, y_NO), Error);
  EXPECT_THROW(add_adapters(pass, {1, 2}, weight, 1, adapters, y_NO), Error);
}

// Elements are multiply-adds; bytes, those of x, of both matrices, and of y twice.
TEST(LowRank, Speed) {
  if (!is_timing()) GTEST_SKIP();
  constexpr int64_t kDepth = 1024, kAll = 3072;
  Device device(1);
  const Parameter weight = panels(device, kAll, kDepth, 1);
  for (const int64_t rank : {8, 64}) {
    Adapter adapter;
    adapter.parts[&weight].push_back({panels(device, rank, kDepth, 2), panels(device, kAll, rank, 3), 0.5f, 0});
    for (const int64_t rows : {1, 8, 512}) {
      const Tensor x_NK = tensor_of(device, {rows, kDepth}, random_floats(rows * kDepth, 4));
      Tensor y_NO = tensor_of(device, {rows, kAll}, random_floats(rows * kAll, 5));
      for (Tier tier : timed_tiers())
        time_call(fmt::format("low_rank {} rows, rank {} [{}]", rows, rank, name_of(tier)),
                  double(rows * rank * (kDepth + kAll)),
                  4 * double(rank * (kDepth + kAll) + rows * (kDepth + 2 * kAll)), [&] {
                    add_adapters({device, kernels_of(tier)}, x_NK, weight, {{&adapter, 0, rows}}, y_NO);
                  });
    }
  }
}

// Rows of a table, in every tier.
TEST(LowRank, RowsOfATable) {
  constexpr int64_t kTokens = 9, kVocabulary = 70, kWidth = 100, kRank = 5;
  GuardedDevice device(2);
  const Parameter table = panels(device, kVocabulary, kWidth, 1);
  const std::vector<float> b = random_floats(kWidth * kRank, 3), a = random_floats(kVocabulary * kRank, 2);
  Adapter adapter;
  adapter.tables[&table] = {panels(device, kVocabulary, kRank, 2), panels(device, kWidth, kRank, 3), 0.7f};
  const std::vector<int32_t> rows = {3, 69, 3, 0, 31, 32, 5, 6, 7};
  for (Tier tier : supported_tiers()) {
    const Pass pass{device, kernels_of(tier)};
    Tensor x_NC = embedding(pass, rows, table, 1.5f);
    std::vector<float> expected = floats_of(x_NC);
    for (int64_t n = 1; n < kTokens - 2; ++n) {
      const std::vector<float> delta = product(b, kWidth, kRank, a.data() + rows[size_t(n)] * kRank);
      for (int64_t c = 0; c < kWidth; ++c) {
        const float scaled = delta[size_t(c)] * (0.7f * 1.5f);
        expected[size_t(n * kWidth + c)] += scaled;
      }
    }
    add_adapters(pass, rows, table, 1.5f, {{&adapter, 1, kTokens - 3}}, x_NC);
    expect_same_bits(floats_of(x_NC), expected, std::string(name_of(tier)));
  }
}

// A batch of two adapters in turns, rows without one, two parts of a weight under the one and one under the other; the
// product feeds on what `embedding` and an adapter beside its table made. Everything that has a gradient, in order:
// table, weight, then A and B of each part.
struct GradientCase {
  static constexpr int64_t kRows = 45, kVocabulary = 40, kWidth = 20, kOutputs = 70;
  struct Part {
    int adapter;
    int64_t rank, first, outputs;  // outputs 0: beside the table
    double scale;
  };
  const std::vector<Part> parts = {{0, 3, 0, 33, 0.75}, {0, 5, 40, 30, 1.5}, {1, 33, 1, 69, 0.5}, {1, 4, 0, 0, 1.25}};
  std::vector<AdapterRows> rows_of(const Adapter* one, const Adapter* two) const {
    return {{one, 1, 9}, {two, 12, 20}, {one, 32, 12}};
  }
  std::vector<std::pair<int64_t, int64_t>> shapes() const {
    std::vector<std::pair<int64_t, int64_t>> all = {{kVocabulary, kWidth}, {kOutputs, kWidth}};
    for (const Part& part : parts) {
      all.push_back(part.outputs > 0 ? std::pair(part.rank, kWidth) : std::pair(kVocabulary, part.rank));
      all.push_back({part.outputs > 0 ? part.outputs : kWidth, part.rank});
    }
    return all;
  }
  std::vector<int32_t> tokens() const {
    std::vector<int32_t> ids;
    for (int64_t n = 0; n < kRows; ++n) ids.push_back(int32_t(n * n % kVocabulary));
    return ids;
  }
  std::vector<float> values(size_t i) const { return random_floats(shapes()[i].first * shapes()[i].second, 10 + i); }
  std::vector<float> cotangent() const { return random_floats(kRows * kOutputs, 9); }

  // Their gradients as they are stored; empty where not trained.
  std::vector<std::vector<float>> gradients(Tier tier, int threads, const std::vector<size_t>& trained,
                                            bool row_major = false) const {
    GuardedDevice device(threads);
    std::vector<Parameter> made;
    for (size_t i = 0; i < shapes().size(); ++i) {
      made.emplace_back(device, "p", Parameter::Layout::panels, std::vector<Segment>{{"p", shapes()[i].first}},
                        shapes()[i].second);
      made.back().set_rows(0, shapes()[i].first, values(i).data());
    }
    Adapter adapters[2];
    for (Adapter& adapter : adapters) adapter.parts[&made[1]].reserve(parts.size());
    std::vector<const Parameter*> all = {&made[0], &made[1]};
    for (size_t i = 0; i < parts.size(); ++i) {
      const Part& part = parts[i];
      Parameter &a = made[2 + 2 * i], &b = made[3 + 2 * i];
      if (part.outputs > 0) {
        LowRank& put = adapters[part.adapter].parts[&made[1]].emplace_back(
            LowRank{std::move(a), std::move(b), float(part.scale), part.first});
        all.push_back(&put.a_RK), all.push_back(&put.b_OR);
      } else {
        LowRankTable& put = adapters[part.adapter].tables[&made[0]];
        put = {std::move(a), std::move(b), float(part.scale)};
        all.push_back(&put.a_VR), all.push_back(&put.b_CR);
      }
    }
    std::unordered_set<const Parameter*> wanted;
    for (const size_t i : trained) wanted.insert(all[i]);
    GradientStore store(device, wanted);
    ClosureTape tape;
    const Pass pass{device, kernels_of(tier), &tape};
    const auto rows = rows_of(&adapters[0], &adapters[1]);
    {
      Tensor x = embedding(pass, tokens(), made[0], 0.5f);
      add_adapters(pass, tokens(), made[0], 0.5f, rows, x);
      Tensor y = linear(pass, x, made[1]);
      add_adapters(pass, x, made[1], rows, y);
      std::ranges::copy(cotangent(), store.into(y).tensor.data<float>());
    }
    tape.backward(store);
    std::vector<std::vector<float>> result;
    for (const Parameter* p : all) {
      const Tensor gradient = store.of(*p);
      result.emplace_back();
      if (gradient.is_empty()) continue;
      result.back() = floats_of(gradient);
      if (row_major) {
        result.back().resize(size_t(p->count()));
        p->get_rows_of(gradient, 0, p->rows(), result.back().data());
      }
    }
    return result;
  }

  // Σ cotangent · y
  Complex reference(const std::vector<Array>& p) const {
    const std::vector<int32_t> ids = tokens();
    const std::vector<float> dy = cotangent();
    const auto add = [&](const Part& part, size_t i, const Array& x, Complex* y) {
      for (int64_t r = 0; r < part.rank; ++r) {
        Complex ax = 0;
        for (int64_t k = 0; k < int64_t(x.size()); ++k) ax += p[i][size_t(r * int64_t(x.size()) + k)] * x[size_t(k)];
        for (int64_t o = 0; o < part.outputs; ++o)
          y[part.first + o] += part.scale * p[i + 1][size_t(o * part.rank + r)] * ax;
      }
    };
    const Adapter other;
    Complex total = 0;
    for (int64_t n = 0; n < kRows; ++n) {
      int adapter = -1;
      for (const AdapterRows& rows : rows_of(nullptr, &other))
        if (n >= rows.first && n < rows.first + rows.count) adapter = rows.adapter != nullptr;
      Array x(p[0].begin() + ids[size_t(n)] * kWidth, p[0].begin() + (ids[size_t(n)] + 1) * kWidth);
      for (Complex& value : x) value *= 0.5;
      for (size_t i = 0; i < parts.size(); ++i)
        if (parts[i].adapter == adapter && parts[i].outputs == 0)
          for (int64_t c = 0; c < kWidth; ++c)
            for (int64_t r = 0; r < parts[i].rank; ++r)
              x[size_t(c)] += 0.5 * parts[i].scale * p[3 + 2 * i][size_t(c * parts[i].rank + r)] *
                              p[2 + 2 * i][size_t(ids[size_t(n)] * parts[i].rank + r)];
      Array y(size_t{kOutputs});
      for (int64_t o = 0; o < kOutputs; ++o)
        for (int64_t k = 0; k < kWidth; ++k) y[size_t(o)] += p[1][size_t(o * kWidth + k)] * x[size_t(k)];
      for (size_t i = 0; i < parts.size(); ++i)
        if (parts[i].adapter == adapter && parts[i].outputs > 0) add(parts[i], 2 + 2 * i, x, y.data());
      for (int64_t o = 0; o < kOutputs; ++o) total += y[size_t(o)] * double(dy[size_t(n * kOutputs + o)]);
    }
    return total;
  }
};

std::vector<size_t> indices(size_t first, size_t last) {
  std::vector<size_t> all;
  for (size_t i = first; i < last; ++i) all.push_back(i);
  return all;
}

TEST(LowRank, GradientsAreThoseOfTheComplexStep) {
  const GradientCase c;
  const size_t count = c.shapes().size();
  const auto gradients = c.gradients(Tier::portable, 1, indices(0, count), /*row_major=*/true);
  std::vector<Array> p;
  for (size_t i = 0; i < count; ++i) {
    const std::vector<float> values = c.values(i);
    p.emplace_back(values.begin(), values.end());
  }
  // The longest way of a rounding: sums over outputs and rank, and over the rows; and what an adapter adds to dx.
  const double terms = double(c.kOutputs + 33 + c.kRows + c.kWidth) + 10;
  for (size_t i = 0; i < count; ++i) {
    ASSERT_EQ(gradients[i].size(), p[i].size()) << i;
    double most = 0;
    for (const float g : gradients[i]) most = std::max(most, double(std::fabs(g)));
    ASSERT_GT(most, 0.0) << i;
    for (size_t probe = 0; probe < 12; ++probe) {
      const size_t at = probe * (p[i].size() - 1) / 11;
      p[i][at] += Complex(0, kStep);
      ASSERT_LE(std::fabs(c.reference(p).imag() / kStep - double(gradients[i][at])), terms * kUnit * most)
          << i << ", " << at;
      p[i][at] = p[i][at].real();
    }
    double along = 0;
    for (size_t at = 0; at < p[i].size(); ++at) {
      const double sign = at * 7 % 11 < 5 ? 1 : -1;
      p[i][at] += Complex(0, sign * kStep), along += sign * double(gradients[i][at]);
    }
    ASSERT_LE(std::fabs(c.reference(p).imag() / kStep - along),
              4 * terms * kUnit * most * std::sqrt(double(p[i].size())))
        << i;
    for (Complex& value : p[i]) value = value.real();
  }
}

TEST(LowRank, GradientsAreTheSameBitsEverywhere) {
  const GradientCase c;
  const size_t count = c.shapes().size();
  const auto all = c.gradients(Tier::portable, 1, indices(0, count));
  for (const Tier tier : supported_tiers())
    for (const int threads : {1, 3}) {
      const auto again = c.gradients(tier, threads, indices(0, count));
      for (size_t i = 0; i < count; ++i) expect_same_bits(again[i], all[i], fmt::format("{} {}", name_of(tier), i));
    }
  // Table and weight frozen, as adapters are trained; then each by itself.
  const auto adapters = c.gradients(choose_tier(), 2, indices(2, count));
  for (size_t i = 0; i < count; ++i)
    expect_same_bits(adapters[i], i < 2 ? std::vector<float>() : all[i], fmt::format("frozen {}", i));
  for (size_t only = 0; only < count; ++only) {
    const auto one = c.gradients(choose_tier(), 2, {only});
    for (size_t i = 0; i < count; ++i)
      expect_same_bits(one[i], i == only ? all[i] : std::vector<float>(), fmt::format("{} of {}", i, only));
  }
}

}  // namespace
}  // namespace fude
