#include "train/step.h"

#include <bit>
#include <cmath>

#include "autograd/closure_tape.h"
#include "base/error.h"
#include "ops/classifier_loss.h"

namespace fude {
namespace {

// Sum of the losses (nats) over the targets of a block; with gradients given, adds scale · d(sum) to them.
double run_block(const Transformer& model, const Kernels& kernels, const TokenBlock& block,
                 GradientStore* gradients = nullptr, float scale = 0, bool checkpoint_blocks = false) {
  if (block.tokens_N.empty()) return 0;
  const TokenBatch batch{block.tokens_N, block.positions_N, block.sequence_starts_S1};
  ClosureTape tape;
  const Pass pass{model.device(), kernels, gradients ? &tape : nullptr, checkpoint_blocks};
  BatchKv kv;
  std::vector<float> loss_N;
  {
    const Tensor hidden_NC = model.forward(pass, batch, kv);
    loss_N = classifier_loss(pass, hidden_NC, model.classifier(), block.targets_N, gradients, scale);
  }
  if (gradients) tape.backward(*gradients);
  double nats = 0;
  for (float loss : loss_N) nats += double(loss);
  return nats;
}

BatchLoss counts_of(std::span<const TokenBlock> blocks) {
  BatchLoss total;
  for (const TokenBlock& block : blocks) {
    total.targets += block.target_count, total.bytes += block.target_bytes;
    total.tokens += block.tokens(), total.padding += block.padding;
  }
  return total;
}

}  // namespace

double BatchLoss::bits_per_byte() const { return bytes == 0 ? 0 : nats / std::log(2.0) / double(bytes); }

BatchLoss evaluate(const Transformer& model, const Kernels& kernels, std::span<const TokenBlock> blocks) {
  BatchLoss total = counts_of(blocks);
  for (const TokenBlock& block : blocks) total.nats += run_block(model, kernels, block);
  return total;
}

GradientSum::GradientSum(const Transformer& model, const Kernels& kernels, StepOptions options)
    : model_(model), kernels_(kernels), options_(options) {
  require(options.slots >= 1 && std::has_single_bit(uint64_t(options.slots)),
          "[train] expected a power of two of gradient slots, got {}", options.slots);
  for (int64_t width = options.slots; width > 0; width /= 2) levels_.emplace_back(model.device());
}

BatchLoss GradientSum::run(std::span<const TokenBlock> blocks) {
  return run_subtree(blocks, counts_of(blocks).targets);
}

BatchLoss GradientSum::run_subtree(std::span<const TokenBlock> blocks, int64_t targets_of_step) {
  require(targets_of_step > 0, "[train] expected a batch with at least one target");
  require(!blocks.empty() && int64_t(blocks.size()) % options_.slots == 0,
          "[train] expected blocks for {} gradient slots, all alike, got {}", options_.slots, blocks.size());
  BatchLoss total = counts_of(blocks);
  total.nats = sum_slots(blocks, options_.slots, 0, float(1.0 / double(targets_of_step)));
  return total;
}

double GradientSum::sum_slots(std::span<const TokenBlock> blocks, int64_t slots, size_t level, float scale) {
  if (slots == 1) {
    levels_[level].restart();
    double nats = 0;
    for (const TokenBlock& block : blocks)
      nats += run_block(model_, kernels_, block, &levels_[level], scale, options_.checkpoint_blocks);
    return nats;
  }
  const double left = sum_slots(blocks.first(blocks.size() / 2), slots / 2, level, scale);
  const double right = sum_slots(blocks.subspan(blocks.size() / 2), slots / 2, level + 1, scale);
  add(level, levels_[level + 1]);
  return left + right;
}

void GradientSum::add(const GradientStore& other) { add(0, other); }

void GradientSum::add(size_t level, const GradientStore& other) {
  for (const Parameter* parameter : model_.parameters()) {
    const Tensor gradient = other.of(*parameter);
    if (!gradient.is_empty()) kernels_.accumulate(model_.device().threads(), gradient, levels_[level].into(*parameter));
  }
}

}  // namespace fude
