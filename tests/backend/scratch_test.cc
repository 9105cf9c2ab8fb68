// What is planned of working memory is what is kept.
#include "backend/scratch.h"

#include <gtest/gtest.h>

#include <thread>

namespace fude {
namespace {

// 65,535 floats end in a page beyond which sizes are counted in huge pages.
TEST(ScratchSizes, MergedSizesAreThoseThatAreKept) {
  for (const int64_t count : {1, 4096, 65535, 65536, 65537, 600000})
    std::thread([count] {
      scratch(ScratchUse::rows, count);
      ScratchSizes asked, merged;
      asked.ask(ScratchUse::rows, count);
      merged.ask(asked);
      EXPECT_EQ(asked.counts, scratch_of_thread().sizes().counts) << count;
      EXPECT_EQ(merged.counts, asked.counts) << count;
    }).join();
}

}  // namespace
}  // namespace fude
