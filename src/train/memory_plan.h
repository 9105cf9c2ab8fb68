// The memory that training will use, known before the first allocation: the run's own code on a Device that
// only counts.
#pragma once

#include "train/trainer.h"

namespace fude {

// Bytes by purpose at the high-water mark, for rows of `row_tokens` tokens without padding.
Device::Usage plan_training_memory(const ModelConfig& config, const TrainerOptions& options, int64_t row_tokens,
                                   DType compute = DType::f32);

}  // namespace fude
