#include "train/step.h"

#include <bit>
#include <cmath>
#include <unordered_set>

#include "autograd/closure_tape.h"
#include "base/error.h"
#include "ops/classifier_loss.h"

namespace fude {
namespace {

TokenBatch batch_of(const TokenBlock& block, const Adapter* adapter) {
  TokenBatch batch{block.tokens_N, block.positions_N, block.sequence_starts_S1, {}, block.prefixes_S};
  if (adapter != nullptr) batch.adapters.push_back({adapter, 0, block.tokens()});
  return batch;
}

// The loss of each row; with gradients given, adds those of the objective to them.
std::vector<float> run_block(const Transformer& model, const Kernels& kernels, const TokenBlock& block,
                             const StepOptions& options, const ClassifierLossOptions& loss = {}) {
  if (block.tokens_N.empty()) return {};
  const Parameter& classifier = options.classifier != nullptr ? *options.classifier : model.classifier();
  require(options.adapter == nullptr || !options.adapter->parts.contains(&classifier),
          "[train] {}: expected an adapter without a part beside the classifier", classifier.name());
  const TokenBatch batch = batch_of(block, options.adapter);
  ClosureTape tape;
  const Pass pass{model.device(), kernels, loss.gradients ? &tape : nullptr, options.checkpoint_blocks};
  BatchKv kv;
  std::vector<float> loss_N;
  {
    const Tensor hidden_NC = model.forward(pass, batch, kv);
    loss_N = classifier_loss(pass, hidden_NC, classifier, block.targets_N, loss);
  }
  if (loss.gradients) tape.backward(*loss.gradients);
  return loss_N;
}

double sum_of(const std::vector<float>& loss_N) {
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

BatchLoss evaluate(const Transformer& model, const Kernels& kernels, std::span<const TokenBlock> blocks,
                   const StepOptions& options) {
  BatchLoss total = counts_of(blocks);
  for (const TokenBlock& block : blocks) total.nats += sum_of(run_block(model, kernels, block, options));
  return total;
}

std::vector<float> target_logprobs(const Transformer& model, const Kernels& kernels, const TokenBlock& block,
                                   const Adapter* adapter, float inverse_temperature) {
  std::vector<float> logprobs_N =
      run_block(model, kernels, block, {.adapter = adapter}, {.inverse_temperature = inverse_temperature});
  for (float& x : logprobs_N) x = -x;
  return logprobs_N;
}

GradientSum::GradientSum(const Transformer& model, const Kernels& kernels, StepOptions options)
    : model_(model),
      kernels_(kernels),
      options_(std::move(options)),
      trained_(options_.trained.begin(), options_.trained.end()) {
  require(options_.slots >= 1 && std::has_single_bit(uint64_t(options_.slots)),
          "[train] expected a power of two of gradient slots, got {}", options_.slots);
  if (trained_.empty()) trained_ = model.parameters();
  const std::unordered_set<const Parameter*> trained(trained_.begin(), trained_.end());
  for (int64_t width = options_.slots; width > 0; width /= 2) levels_.emplace_back(model.device(), trained);
}

BatchLoss GradientSum::run(std::span<const TokenBlock> blocks, const Objective& objective) {
  return run_subtree(blocks, counts_of(blocks).targets, objective);
}

BatchLoss GradientSum::run_subtree(std::span<const TokenBlock> blocks, int64_t targets_of_step,
                                   const Objective& objective) {
  require(targets_of_step > 0, "[train] expected a batch with at least one target");
  require(!blocks.empty() && int64_t(blocks.size()) % options_.slots == 0,
          "[train] expected blocks for {} gradient slots, all alike, got {}", options_.slots, blocks.size());
  BatchLoss total = counts_of(blocks);
  Objective chosen = objective;
  if (!chosen.slope)
    chosen.slope = [each = float(1.0 / double(targets_of_step))](size_t, int64_t, float) { return each; };
  total.nats = sum_slots(blocks, 0, options_.slots, 0, chosen);
  return total;
}

// `first`: the number of the first of these blocks in its step.
double GradientSum::sum_slots(std::span<const TokenBlock> blocks, size_t first, int64_t slots, size_t level,
                              const Objective& objective) {
  if (slots == 1) {
    levels_[level].clear();
    // What outlives a block's activations must not lie between them: the next block's would not fit there.
    if (blocks.size() > 1 || options_.slots > 1) levels_[level].reserve(trained_);
    double nats = 0;
    for (size_t i = 0; i < blocks.size(); ++i)
      nats += sum_of(run_block(
          model_, kernels_, blocks[i], options_,
          {&levels_[level], [&](int64_t row, float logprob) { return objective.slope(first + i, row, logprob); },
           objective.inverse_temperature}));
    return nats;
  }
  const size_t half = blocks.size() / 2;
  const double left = sum_slots(blocks.first(half), first, slots / 2, level, objective);
  const double right = sum_slots(blocks.subspan(half), first + half, slots / 2, level + 1, objective);
  add(level, levels_[level + 1]);
  levels_[level + 1].clear();
  return left + right;
}

void GradientSum::add(const GradientStore& other) { add(0, other); }

void GradientSum::add(size_t level, const GradientStore& other) {
  for (const Parameter* parameter : trained_) {
    const Tensor gradient = other.of(*parameter);
    if (!gradient.is_empty()) kernels_.accumulate(model_.device().threads(), gradient, levels_[level].into(*parameter));
  }
}

}  // namespace fude
