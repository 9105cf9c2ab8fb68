// One pass over a batch: forward, loss, backward. The same code on a Device that only counts is the memory plan.
#pragma once

#include <span>

#include "data/packing.h"
#include "model/transformer.h"

namespace fude {

// Sum of the losses (nats) over the targets of a block; with gradients given, adds scale · d(sum) to them.
double run_block(const Transformer& model, const Kernels& kernels, const TokenBlock& block, Gradients* gradients,
                 float scale);

struct BatchLoss {
  double nats = 0;  // sum over targets
  int64_t targets = 0, bytes = 0, tokens = 0, padding = 0;

  double mean() const { return targets == 0 ? 0 : nats / double(targets); }
  // 0 where the bytes are not known.
  double bits_per_byte() const;
};

// All blocks of a step, in order: gradients of the mean loss. The blocks are the leaves of the sum (docs/numerics.md).
BatchLoss run_blocks(const Transformer& model, const Kernels& kernels, std::span<const TokenBlock> blocks,
                     Gradients* gradients);

// Bytes by purpose at the high-water mark of training this model with AdamW on such blocks.
Device::Usage plan_training_memory(const ModelConfig& config, int64_t block_rows, int64_t row_tokens,
                                   DType compute = DType::f32);

}  // namespace fude
