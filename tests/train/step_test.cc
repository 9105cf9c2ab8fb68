// The order in which a step's gradients are summed, and what may not change a bit of them: how many workers
// share the tree, how many threads, and running blocks of the model twice to save memory.
#include "train/step.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backend/sanitizer.h"
#include "base/error.h"
#include "base/random.h"
#include "model/load.h"
#include "train/memory_plan.h"

namespace fude {
namespace {

// The family's tiny golden, with another block.
ModelConfig small(const std::string& family) {
  ModelConfig c = read_config(FUDE_SOURCE_DIR "/tests/goldens/" + family);
  c.vocabulary = 50, c.layers = 3, c.context = 64;
  if (c.window > 0) c.is_local_L.assign(3, true);
  return c;
}

std::vector<TokenBlock> random_blocks(int64_t count) {
  std::vector<TokenBlock> blocks;
  Random random{9};
  for (int64_t i = 0; i < count; ++i) {
    TokenBlock& block = blocks.emplace_back();
    block.sequence_starts_S1 = {0};
    for (int64_t length : {7 + i, int64_t(20)}) {
      for (int64_t p = 0; p < length; ++p) {
        block.tokens_N.push_back(int32_t(random.below(50)));
        block.targets_N.push_back(p + 1 < length ? int32_t(random.below(50)) : -1);
        block.positions_N.push_back(int32_t(p));
      }
      block.sequence_starts_S1.push_back(int32_t(block.tokens_N.size()));
      block.target_count += length - 1;
    }
  }
  return blocks;
}

int64_t targets_of(std::span<const TokenBlock> blocks) {
  int64_t targets = 0;
  for (const TokenBlock& block : blocks) targets += block.target_count;
  return targets;
}

using Values = std::vector<std::vector<float>>;  // of each parameter

Values values_of(const Transformer& model, const GradientStore& gradients) {
  Values values;
  for (const Parameter* p : model.parameters()) {
    const Tensor g = gradients.of(*p);
    values.emplace_back(g.data<float>(), g.data<float>() + g.size());
  }
  return values;
}

struct Step {
  Values gradients;
  double nats;
};

Step run(const Transformer& model, std::span<const TokenBlock> blocks, StepOptions options) {
  GradientSum sum(model, default_kernels(), options);
  double nats = 0;
  for (int again = 0; again < 2; ++again) nats = sum.run(blocks).nats;  // the second forgets the first
  return {values_of(model, sum.gradients()), nats};
}

// One slot: its blocks serially. More: the two halves, added.
Values naive_tree(const Transformer& model, std::span<const TokenBlock> blocks, int64_t slots, int64_t targets) {
  if (slots == 1) {
    GradientSum sum(model, default_kernels(), {});
    sum.run_subtree(blocks, targets);
    return values_of(model, sum.gradients());
  }
  Values left = naive_tree(model, blocks.first(blocks.size() / 2), slots / 2, targets);
  const Values right = naive_tree(model, blocks.subspan(blocks.size() / 2), slots / 2, targets);
  for (size_t p = 0; p < left.size(); ++p)
    for (size_t i = 0; i < left[p].size(); ++i) left[p][i] += right[p][i];
  return left;
}

class GradientSlots : public testing::Test {
 protected:
  GradientSlots() { model.initialise(1); }
  Device device{2};
  Transformer model{device, small("qwen3")};
  std::vector<TokenBlock> blocks = random_blocks(8);
};

TEST_F(GradientSlots, MeetInAPairwiseTree) {
  for (int64_t slots : {1, 2, 4, 8})
    EXPECT_EQ(run(model, blocks, {.slots = slots}).gradients, naive_tree(model, blocks, slots, targets_of(blocks)))
        << slots << " slots";
  EXPECT_NE(run(model, blocks, {.slots = 4}).gradients, run(model, blocks, {.slots = 1}).gradients);
}

// Workers sum the slots of their subtree; then neighbours meet, level by level.
TEST_F(GradientSlots, AnyNumberOfWorkersGivesTheSameBits) {
  constexpr int64_t kSlots = 8;
  const Values whole = run(model, blocks, {.slots = kSlots}).gradients;
  for (size_t workers : {2, 4, 8}) {
    std::deque<GradientSum> sums;
    const size_t share = blocks.size() / workers;
    for (size_t w = 0; w < workers; ++w) {
      sums.emplace_back(model, default_kernels(), StepOptions{.slots = kSlots / int64_t(workers)});
      sums.back().run_subtree(std::span(blocks).subspan(w * share, share), targets_of(blocks));
    }
    for (size_t step = 1; step < workers; step *= 2)
      for (size_t w = 0; w < workers; w += 2 * step) sums[w].add(sums[w + step].gradients());
    EXPECT_EQ(values_of(model, sums[0].gradients()), whole) << workers << " workers";
  }
}

TEST_F(GradientSlots, DoNotDependOnThreads) {
  const Step two = run(model, blocks, {.slots = 4});
  for (int threads : {1, 3}) {
    Device other(threads);
    Transformer same(other, small("qwen3"));
    same.initialise(1);
    const Step step = run(same, blocks, {.slots = 4});
    EXPECT_EQ(step.gradients, two.gradients);
    EXPECT_EQ(step.nats, two.nats);
  }
}

TEST_F(GradientSlots, AreRefusedUnlessTheyShareTheBlocksAlike) {
  EXPECT_THROW(GradientSum(model, default_kernels(), {.slots = 3}), Error);
  EXPECT_THROW(run(model, std::span(blocks).first(6), {.slots = 4}), Error);
}

class CheckpointedBlocks : public testing::TestWithParam<const Architecture*> {};

TEST_P(CheckpointedBlocks, GiveTheSameBitsInLessMemory) {
  const auto blocks = random_blocks(2);
  Values gradients[2];
  int64_t peak[2];
  for (const bool checkpoint : {false, true}) {
    Device device(2);
    Transformer model(device, small(GetParam()->family));
    model.initialise(4);
    gradients[checkpoint] = run(model, blocks, {.checkpoint_blocks = checkpoint}).gradients;
    peak[checkpoint] = device.usage().at_peak[int(Purpose::activations)];
  }
  EXPECT_EQ(gradients[true], gradients[false]);
  EXPECT_LT(peak[true], peak[false]);
}

INSTANTIATE_TEST_SUITE_P(Families, CheckpointedBlocks, testing::ValuesIn(architectures()),
                         [](const auto& info) { return std::string(info.param->family); });

// Of a step's high-water mark: a model of twelve layers, four times as much in activations as in weights.
class MemoryPlanOfAStep : public testing::Test {
 protected:
  MemoryPlanOfAStep() {
    config.width = 256, config.layers = 12, config.heads = config.kv_heads = 4, config.head_size = 64,
    config.feed_forward = 1024;
  }
  Device::Usage usage(const StepOptions& step, int64_t blocks = 1) const {
    Device device(1, /*only_counts=*/true);
    Transformer model(device, config);
    return plan_training_memory(model, {.step = step, .rows_per_block = 32}, blocks, 64, default_kernels(), 2).device;
  }
  static double of(const Device::Usage& usage, Purpose purpose) { return double(usage.at_peak[size_t(purpose)]); }

  ModelConfig config = small("gpt2");
};

// What stays of a block is its input; what is made again is one block's.
TEST_F(MemoryPlanOfAStep, CheckpointedBlocksKeepTheirInput) {
  EXPECT_LT(of(usage({.checkpoint_blocks = true}), Purpose::activations), 0.25 * of(usage({}), Purpose::activations));
}

// At its mark one block has no gradients yet but the classifier's; several have those of all before, or of all slots.
TEST_F(MemoryPlanOfAStep, GradientsOfOneBlockFindRoomWhereActivationsWere) {
  const Device::Usage one = usage({}), four = usage({}, 4), two_slots = usage({.slots = 2}, 4);
  EXPECT_LT(of(one, Purpose::gradients), 0.05 * of(one, Purpose::weights));
  EXPECT_EQ(of(four, Purpose::gradients), of(one, Purpose::weights));
  EXPECT_EQ(of(two_slots, Purpose::gradients), 2 * of(one, Purpose::weights));
  for (const Device::Usage& usage : {one, four, two_slots}) {
    EXPECT_EQ(of(usage, Purpose::activations), of(one, Purpose::activations));
    // What AddressSanitizer wants behind a block is in the way where the next would just fit.
    EXPECT_LT(double(usage.held), (kHasAddressSanitizer ? 1.1 : 1.05) * double(usage.peak));
  }
}

// A classifier in place of the model's decides the loss, with gradients and without.
TEST_F(GradientSlots, EvaluateAsTheyLearn) {
  Parameter head(device, "head", Parameter::Layout::panels, {{"head", 60}}, model.config().width);
  std::vector<float> rows(size_t(head.count()));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = std::sin(float(i));
  head.set_rows(0, head.rows(), rows.data());
  const StepOptions options{.classifier = &head};
  GradientSum sum(model, default_kernels(), options);
  EXPECT_EQ(sum.run(blocks).nats, evaluate(model, default_kernels(), blocks, options).nats);
  EXPECT_NE(evaluate(model, default_kernels(), blocks, options).nats, evaluate(model, default_kernels(), blocks).nats);
}

}  // namespace
}  // namespace fude
