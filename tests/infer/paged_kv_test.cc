#include "infer/paged_kv.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace fude {
namespace {

ModelConfig two_layers() {
  ModelConfig c;
  c.layers = 2, c.kv_heads = 1, c.head_size = 4;
  return c;
}

TEST(PagedKv, CountsReferences) {
  Device device(1);
  PagePool pool(device, two_layers(), 3);
  EXPECT_EQ(device.usage().now[size_t(Purpose::cache)], 3 * kKeyPage * 4 * 4 * 2 * 2);
  const Page a = pool.take(), b = pool.take(), c = pool.take();
  EXPECT_THROW(pool.take(), Error);
  pool.share(a);
  pool.release(a);
  EXPECT_EQ(pool.free_pages(), 0);
  pool.release(a), pool.release(c);
  EXPECT_EQ(pool.free_pages(), 2);
  EXPECT_THROW(pool.release(a), Error);
  EXPECT_THROW(pool.share(a), Error);
  EXPECT_EQ(pool.references(b), 1);
  EXPECT_THROW(PagePool(device, two_layers(), 0), Error);
  EXPECT_THROW(PagePool(device, two_layers(), 1, DType::i32), Error);
}

// Rows of two sequences land in their pages; a copy of some of them does not follow its original.
TEST(PagedKv, PutsRowsIntoPages) {
  Device device(1);
  PagePool pool(device, two_layers(), 4);
  const std::vector<Page> first = {pool.take(), pool.take()}, second = {pool.take()};
  const auto batch_of = [](std::vector<int32_t> positions, std::vector<int32_t> starts) {
    return TokenBatch{std::vector<int32_t>(positions.size(), 0), std::move(positions), std::move(starts)};
  };
  PagedKv kv(pool, default_kernels(), {&first, &second});
  const auto put = [&](int64_t layer, const TokenBatch& batch, float base) {
    Tensor k_NGD(device, {batch.size(), 1, 4}, DType::f32), v_NGD(device, {batch.size(), 1, 4}, DType::f32);
    for (int64_t i = 0; i < 4 * batch.size(); ++i) k_NGD.data<float>()[i] = base + float(i / 4);
    for (int64_t i = 0; i < 4 * batch.size(); ++i) v_NGD.data<float>()[i] = -base - float(i / 4);
    return kv.put(layer, k_NGD, v_NGD, batch);
  };
  const KvView view = put(1, batch_of({31, 32, 33, 0}, {0, 3, 4}), 100);
  EXPECT_EQ(view.first_page, (std::vector<int64_t>{0, 2}));
  // A page's layers lie one behind the other.
  const auto row_of = [](Page page) { return (page * 2 + 1) * kKeyPage; };
  EXPECT_EQ(view.page_rows, (std::vector<int64_t>{row_of(first[0]), row_of(first[1]), row_of(second[0])}));
  // Element 3 of keys, which are turned.
  const auto k_at = [&](Page page, int64_t row) {
    return view.k.rows_RGD.data<float>()[row_of(page) * 4 + 3 * kKeyPage + row];
  };
  EXPECT_EQ(k_at(first[0], 31), 100);
  EXPECT_EQ(k_at(first[1], 1), 102);
  EXPECT_EQ(k_at(second[0], 0), 103);
  EXPECT_EQ(view.v.rows_RGD.data<float>()[(row_of(first[1]) + 1) * 4 + 3], -102);

  const Page copy = pool.take();
  pool.copy(first[1], copy);
  put(1, batch_of({32}, {0, 1, 1}), 7);
  EXPECT_EQ(k_at(first[1], 0), 7);
  EXPECT_EQ(k_at(copy, 0), 101);
  EXPECT_EQ(k_at(copy, 1), 102);

  EXPECT_THROW(put(0, batch_of({64}, {0, 1, 1}), 0), Error);    // no page
  EXPECT_THROW(put(0, batch_of({-1}, {0, 1, 1}), 0), Error);    // before the first
  EXPECT_THROW(put(0, batch_of({3, 5}, {0, 2, 2}), 0), Error);  // a gap
  EXPECT_THROW(put(0, batch_of({3}, {0, 1}), 0), Error);        // another number of sequences
  EXPECT_THROW(pool.copy(copy, copy), Error);
}

}  // namespace
}  // namespace fude
