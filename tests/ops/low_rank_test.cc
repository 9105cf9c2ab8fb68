// What adapters add, against its definition, link by link, with ==: every tier, ranks, rows and threads.
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
    const Pass pass{device, kernels_of(int(tier))};
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

TEST(LowRank, RefusesATapeAndRowsThatAreNotThere) {
  Device device(1);
  const Parameter weight = panels(device, 32, 8, 1);
  Adapter adapter;
  std::vector<AdapterRows> adapters = {{&adapter, 0, 2}};
  const Tensor x_NK = tensor_of(device, {2, 8}, random_floats(16, 2));
  const Pass pass{device, default_kernels()};
  Tensor y_NO = linear(pass, x_NK, weight);
  EXPECT_NO_THROW(add_adapters(pass, x_NK, weight, adapters, y_NO));  // it has nothing for this weight
  ClosureTape tape;
  EXPECT_THROW(add_adapters({device, default_kernels(), &tape}, x_NK, weight, adapters, y_NO), Error);
  adapters = {{&adapter, 1, 2}};
  EXPECT_THROW(add_adapters(pass, x_NK, weight, adapters, y_NO), Error);
  EXPECT_THROW(add_adapters(pass, {1, 2}, weight, 1, adapters, y_NO), Error);
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
    const Pass pass{device, kernels_of(int(tier))};
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

}  // namespace
}  // namespace fude
