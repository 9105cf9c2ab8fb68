#include "model/kv_store.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace fude {
namespace {

TokenBatch batch_of(std::vector<int32_t> positions) {
  const auto size = int32_t(positions.size());
  return {std::vector<int32_t>(positions.size(), 0), std::move(positions), {0, size}};
}

TEST(KvCache, TakesPositionsThatContinueWhatIsKept) {
  Device device(1);
  KvCache cache(device, 2, 1, 4, 100);
  const auto put = [&](int64_t layer, const std::vector<int32_t>& positions, int64_t heads = 1) {
    Tensor kv_NGD(device, {int64_t(positions.size()), heads, 4}, DType::f32);
    fill_zero(kv_NGD);
    cache.put(layer, kv_NGD, kv_NGD, batch_of(positions));
  };
  EXPECT_THROW(put(0, {1}), Error);
  put(0, {0, 1, 2});
  put(0, {3, 4});
  EXPECT_THROW(put(0, {6}), Error);      // a gap
  EXPECT_THROW(put(0, {5, 7}), Error);   // a gap inside
  EXPECT_THROW(put(0, {-1, 0}), Error);  // before the first
  EXPECT_THROW(put(1, {1}), Error);      // each layer has its own
  EXPECT_THROW(put(2, {0}), Error);      // no such layer
  EXPECT_THROW(put(0, {5}, 2), Error);   // other heads
  put(0, {2});                           // going back drops the rest
  EXPECT_THROW(put(0, {4}), Error);
  put(0, {3});
}

}  // namespace
}  // namespace fude
