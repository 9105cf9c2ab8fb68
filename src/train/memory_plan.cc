#include "train/memory_plan.h"

#include <algorithm>

#include "base/error.h"
#include "ops/low_rank.h"

namespace fude {
namespace {

TokenBlock full_block(int64_t rows, int64_t row_tokens) {
  require(rows <= INT32_MAX / row_tokens, "[train] expected at most 2^31 tokens in a block, got {} rows of {}", rows,
          row_tokens);
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

MemoryPlan plan_training_memory(Transformer& model, const TrainerOptions& options, int64_t blocks, int64_t row_tokens,
                                const Kernels& kernels, int threads) {
  require(model.device().only_counts(), "[memory_plan] expected a model that is only counted");
  const Adapter* adapter = options.step.adapter;
  std::vector<Parameter*> used = model.parameters();
  const std::vector<Parameter*> trained = options.step.trained.empty() ? used : options.step.trained;
  used.insert(used.end(), options.step.trained.begin(), options.step.trained.end());
  Optimizer optimizer(model.device(), counting_kernels(), trained, options.optimizer);
  GradientSum gradients(model, counting_kernels(), options.step);
  // Two blocks for each slot that has several: further ones find the memory as the second left it.
  const std::vector<TokenBlock> some(size_t(std::min(blocks, 2 * options.step.slots)),
                                     full_block(options.rows_per_block, row_tokens));
  gradients.run(some);
  optimizer.step(gradients.gradients(), 1e-3f);
  gradients.clear();
  evaluate(model, counting_kernels(), {some.data(), 1}, options.step);
  const int64_t tokens = int64_t(some.front().tokens_N.size());
  ScratchSizes of_caller, of_other;
  for (const Parameter* p : used)
    if (p->is_matrix()) {
      of_caller.ask(kernels.linear_scratch(threads, true, tokens, *p));
      of_other.ask(kernels.linear_scratch(threads, false, tokens, *p));
    }
  Device::Usage all = model.device().usage();
  if (adapter != nullptr) {
    const Device::Usage& more = adapter->home->usage();
    for (size_t i = 0; i < all.at_peak.size(); ++i) all.at_peak[i] += more.at_peak[i];
    all.peak += more.peak, all.held += more.held;
  }
  return {all, of_caller.bytes() + (threads - 1) * of_other.bytes()};
}

}  // namespace fude
