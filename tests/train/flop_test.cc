#include "train/flop.h"

#include <gtest/gtest.h>

#include "model/load.h"

namespace fude {
namespace {

// What a run's share of the machine's limit is reckoned from: work that is not done does not count.
TEST(StepFlop, CountsWhatIsDone) {
  const ModelConfig config = read_config(FUDE_SOURCE_DIR "/tests/goldens/qwen3");
  TokenBlock block;
  block.sequence_starts_S1 = {0, 10};
  block.tokens_N.assign(10, 1);
  for (int32_t i = 0; i < 10; ++i) block.positions_N.push_back(i);
  block.targets_N.assign(10, 1);
  block.target_count = 10;
  const double blocks = double(block_weights(config)), classifier = double(classifier_weights(config)),
               attention = attention_products(config, 10);
  EXPECT_EQ(step_flop(config, {&block, 1}), 2 * 3 * (10 * (blocks + classifier) + attention));
  EXPECT_EQ(step_flop(config, {&block, 1}, false), 2 * (2 * 10 * (blocks + classifier) + 3 * attention));
  block.targets_N.assign(10, -1);
  block.targets_N[3] = 1, block.target_count = 1;
  EXPECT_EQ(step_flop(config, {&block, 1}), 2 * 3 * (10 * blocks + classifier + attention));
  // Two that go on from one.
  block.sequence_starts_S1 = {0, 4, 7, 10}, block.prefixes_S = {-1, 0, 0};
  block.positions_N = {0, 1, 2, 3, 4, 5, 6, 4, 5, 6};
  const double both = 2 * attention_products(config, 7) - attention_products(config, 4);
  EXPECT_EQ(step_flop(config, {&block, 1}), 2 * 3 * (10 * blocks + classifier + both));
}

}  // namespace
}  // namespace fude
