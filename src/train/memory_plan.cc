#include "train/memory_plan.h"

namespace fude {
namespace {

TokenBlock full_block(int64_t rows, int64_t row_tokens) {
  TokenBlock block;
  block.sequence_starts_S1 = {0};
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t p = 0; p < row_tokens; ++p) block.positions_N.push_back(int32_t(p));
    block.sequence_starts_S1.push_back(int32_t(block.positions_N.size()));
  }
  block.tokens_N.resize(block.positions_N.size());
  block.targets_N.resize(block.positions_N.size());
  block.target_count = int64_t(block.targets_N.size());
  return block;
}

}  // namespace

MemoryPlan plan_training_memory(const ModelConfig& config, const TrainerOptions& options, int64_t row_tokens,
                                const Kernels& kernels, int threads, DType compute) {
  Device device(1, /*only_counts=*/true);
  Transformer model(device, config, {compute});
  Optimizer optimizer(device, counting_kernels(), model.parameters(), options.optimizer);
  GradientSum gradients(model, counting_kernels(), options.step);
  // One leaf for each slot: the others find the memory as the first left it.
  const std::vector<TokenBlock> blocks(size_t(options.step.slots), full_block(options.rows_per_block, row_tokens));
  // Twice: only the second step begins with gradients in memory.
  for (int step = 0; step < 2; ++step) {
    gradients.run(blocks);
    optimizer.step(gradients.gradients(), 1e-3f);
  }
  evaluate(model, counting_kernels(), {blocks.data(), 1});
  const int64_t tokens = int64_t(blocks.front().tokens_N.size());
  ScratchSizes of_caller, of_other;
  for (const Parameter* p : model.parameters())
    if (p->is_matrix()) {
      of_caller.ask(kernels.linear_scratch(threads, true, tokens, *p));
      of_other.ask(kernels.linear_scratch(threads, false, tokens, *p));
    }
  return {device.usage(), of_caller.bytes() + (threads - 1) * of_other.bytes()};
}

}  // namespace fude
