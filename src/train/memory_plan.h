// The memory that training will use, known before the first allocation: the run's own code on a Device that
// only counts.
#pragma once

#include "train/trainer.h"

namespace fude {

struct MemoryPlan {
  Device::Usage device;  // bytes by purpose at the high-water mark
  int64_t kernels = 0;   // bytes that linear keeps to pack its operands
  int64_t total() const { return device.held + kernels; }
};

// Of a model on a Device that only counts, and of what the options train: the model, or an adapter beside it. For steps
// of so many blocks of rows of `row_tokens` tokens without padding, on `kernels` and so many threads.
MemoryPlan plan_training_memory(Transformer& model, const TrainerOptions& options, int64_t blocks, int64_t row_tokens,
                                const Kernels& kernels, int threads);

}  // namespace fude
