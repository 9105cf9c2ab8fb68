// The last tokens of sequences as a batch of their own. (What a model makes of them: parity/forward_parity_test.cc.)
#include "model/last_rows.h"

#include <gtest/gtest.h>

#include <tuple>

#include "base/error.h"
#include "ops/low_rank.h"

namespace fude {
namespace {

TEST(LastRows, AreABatchWithItsAdapters) {
  Adapter first, second;
  // Three, two, four and two tokens; the first adapter has all of two sequences and a part of the third.
  const TokenBatch all{{10, 11, 12, 20, 21, 30, 31, 32, 33, 40, 41},
                       {0, 1, 2, 7, 8, 0, 1, 2, 3, 5, 6},
                       {0, 3, 5, 9, 11},
                       {{&first, 0, 7}, {&second, 8, 3}}};
  const LastRows last(all, {2, 0, 3, 1});
  const TokenBatch& some = last.batch();
  EXPECT_EQ(some.tokens_N, (std::vector<int32_t>{11, 12, 31, 32, 33, 41}));
  EXPECT_EQ(some.positions_N, (std::vector<int32_t>{1, 2, 1, 2, 3, 6}));
  EXPECT_EQ(some.sequence_starts, (std::vector<int32_t>{0, 2, 5, 6}));
  std::vector<std::tuple<const Adapter*, int64_t, int64_t>> adapters;
  for (const AdapterRows& rows : some.adapters) adapters.emplace_back(rows.adapter, rows.first, rows.count);
  EXPECT_EQ(adapters, (decltype(adapters){{&first, 0, 3}, {&second, 4, 2}}));

  Device device(1);
  const Pass pass{device, default_kernels()};
  Tensor x_N2(device, {11, 2}, DType::f32);
  for (int i = 0; i < 22; ++i) x_N2.data<float>()[i] = float(i);
  const Tensor rows_R2 = last.of(pass, x_N2);
  EXPECT_EQ(rows_R2.shape(), (Shape{6, 2}));
  const float* row = rows_R2.data<float>();
  EXPECT_EQ(std::vector<float>(row, row + 12), (std::vector<float>{2, 3, 4, 5, 12, 13, 14, 15, 16, 17, 20, 21}));
  EXPECT_EQ(last.of(KvView{{}, {}, {}, {0, 10, 20, 30}}).first_page, (std::vector<int64_t>{0, 20, 30}));
}

TEST(LastRows, AreNoMoreThanThereAre) {
  const TokenBatch all{{1, 2, 3}, {0, 1, 0}, {0, 2, 3}, {}};
  EXPECT_THROW(LastRows(all, {3, 1}), Error);
  EXPECT_THROW(LastRows(all, {-1, 1}), Error);
  EXPECT_THROW(LastRows(all, {1}), Error);
  EXPECT_EQ(LastRows(all, {0, 0}).batch().size(), 0);
}

}  // namespace
}  // namespace fude
