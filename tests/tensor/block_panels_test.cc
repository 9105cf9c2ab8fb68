#include "tensor/block_panels.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace fude {
namespace {

// Any bytes of 32 rows go into a panel and come back; a panel is as large as they were, but for Q4_K's and Q5_K's
// scales.
TEST(BlockPanels, AnyBytesComeBack) {
  Random random{7, 1, 0};
  for (const WeightFormat& format : weight_formats()) {
    if (!format.is_quantized()) continue;
    const BlockShape shape = block_shape(format.type);
    EXPECT_EQ(shape.columns(), format.block) << format.name;
    const bool grows = format.type == WeightType::q4_k || format.type == WeightType::q5_k;
    EXPECT_EQ(shape.bytes(), kPanel * (format.block_bytes + (grows ? 4 : 0))) << format.name;
    std::vector<std::byte> rows(size_t(kPanel * format.block_bytes)), panel(size_t(shape.bytes()), std::byte{0xA5});
    for (std::byte& byte : rows) byte = std::byte(random.below(256));
    BlockCodes codes;
    for (int64_t lane = 0, count = 1; lane < kPanel; lane += count, count = std::min(2 * count, kPanel - lane))
      put_in_panel(format, rows.data() + lane * format.block_bytes, format.block_bytes, lane, count, panel.data());
    std::vector<std::byte> back(size_t(format.block_bytes));
    for (int64_t lane = 0; lane < kPanel; ++lane) {
      take_from_panel(format, panel.data(), lane, codes);
      format.put_together(codes, back.data());
      for (int64_t i = 0; i < format.block_bytes; ++i)
        ASSERT_EQ(back[size_t(i)], rows[size_t(lane * format.block_bytes + i)])
            << format.name << ' ' << lane << ' ' << i;
    }
  }
}

}  // namespace
}  // namespace fude
