#include "train/step.h"

#include <algorithm>
#include <cmath>

#include "autograd/closure_tape.h"
#include "base/error.h"
#include "ops/classifier_loss.h"
#include "train/optimizer.h"

namespace fude {

double BatchLoss::bits_per_byte() const { return bytes == 0 ? 0 : nats / std::log(2.0) / double(bytes); }

double run_block(const Transformer& model, const Kernels& kernels, const TokenBlock& block, Gradients* gradients,
                 float scale) {
  if (block.tokens_N.empty()) return 0;
  const TokenBatch batch{block.tokens_N, block.positions_N, block.sequence_starts_S1};
  ClosureTape tape;
  const Pass pass{model.device(), kernels, gradients ? &tape : nullptr};
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

BatchLoss run_blocks(const Transformer& model, const Kernels& kernels, std::span<const TokenBlock> blocks,
                     Gradients* gradients) {
  BatchLoss total;
  for (const TokenBlock& block : blocks) {
    total.targets += block.target_count, total.bytes += block.target_bytes;
    total.tokens += block.tokens(), total.padding += block.padding;
  }
  require(total.targets > 0 || gradients == nullptr, "[train] expected a batch with at least one target");
  const float scale = gradients ? float(1.0 / double(total.targets)) : 0.0f;
  for (const TokenBlock& block : blocks) total.nats += run_block(model, kernels, block, gradients, scale);
  return total;
}

Device::Usage plan_training_memory(const ModelConfig& config, int64_t block_rows, int64_t row_tokens, DType compute) {
  Device device(1, /*only_counts=*/true);
  Transformer model(device, config, {compute});
  Optimizer optimizer(device, counting_kernels(), model.parameters(), {});
  GradientStore gradients(device);
  TokenBlock block;
  block.sequence_starts_S1 = {0};
  for (int64_t row = 0; row < block_rows; ++row) {
    for (int64_t p = 0; p < row_tokens; ++p) {
      block.tokens_N.push_back(0), block.targets_N.push_back(0);
      block.positions_N.push_back(int32_t(p));
    }
    block.sequence_starts_S1.push_back(int32_t(block.tokens_N.size()));
  }
  block.target_count = block_rows * row_tokens;
  run_blocks(model, counting_kernels(), {&block, 1}, &gradients);
  optimizer.step(gradients, 1e-3f);
  return device.usage();
}

}  // namespace fude
