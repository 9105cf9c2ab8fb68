#include "infer/step_cost.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "infer/prompt_lookup.h"

namespace fude {
namespace {

TEST(StepCost, LearnsWhatStepsCost) {
  StepCost cost;
  const auto seconds = [](int64_t tokens, int64_t keys) { return 0.01 + 1e-3 * double(tokens) + 2e-7 * double(keys); };
  Random random{3};
  for (int step = 0; step < 100; ++step) {
    EXPECT_EQ(cost.is_known(), step >= 8);
    const auto tokens = 1 + int64_t(random.below(300)), keys = tokens * int64_t(1 + random.below(1000));
    cost.add(tokens, keys, seconds(tokens, keys) * (1 + 0.01 * random.normal()));
  }
  EXPECT_NEAR(cost.of(100, 50000), seconds(100, 50000), 0.01 * seconds(100, 50000));
  // The chunk it names takes the time that was given.
  for (int64_t first : {0, 2000}) {
    const int64_t chunk = cost.largest_chunk(4, 4000, first, 0.1);
    EXPECT_GT(chunk, 10);
    EXPECT_NEAR(cost.of(4 + chunk, 4000 + chunk * first + chunk * (chunk + 1) / 2), 0.1, 0.002);
  }
  EXPECT_EQ(cost.largest_chunk(200, 0, 0, 0.1), 0);
}

// Steps that were all alike tell what such a step costs, and nothing is negative.
TEST(StepCost, KnowsLittleFromStepsThatAreAlike) {
  StepCost cost;
  for (int step = 0; step < 50; ++step) cost.add(1, 100 + step, 0.02 - 1e-5 * step);
  EXPECT_NEAR(cost.of(1, 130), 0.02, 0.001);
  EXPECT_GE(cost.of(500, 100000), cost.of(1, 100) - 1e-12);
  EXPECT_GT(cost.largest_chunk(1, 100, 0, 0.05), 0);
}

TEST(PromptLookup, GoesOnAsLastTime) {
  const std::vector<int32_t> text = {1, 2, 3, 4, 5, 9, 2, 3, 8, 7, 1, 2, 3};
  EXPECT_EQ(look_up(text, 3), (std::vector<int32_t>{4, 5, 9}));                                          // after 1 2 3
  EXPECT_EQ(look_up(std::vector<int32_t>{6, 2, 3, 4, 2, 3, 5, 2, 3}, 2), (std::vector<int32_t>{5, 2}));  // the latest
  EXPECT_EQ(look_up(std::vector<int32_t>{7, 7, 7}, 5), (std::vector<int32_t>{7}));
  EXPECT_TRUE(look_up(std::vector<int32_t>{1, 2, 3, 4}, 4).empty());
  EXPECT_TRUE(look_up(text, 0).empty());
  EXPECT_TRUE(look_up(text, -3).empty());
  for (size_t size = 0; size < 3; ++size) EXPECT_TRUE(look_up(std::vector<int32_t>(size, 1), 4).empty()) << size;
}

}  // namespace
}  // namespace fude
