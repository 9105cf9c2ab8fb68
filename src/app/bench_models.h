// Models of random weights for the benchmarks.
#pragma once

#include <memory>

#include "model/transformer.h"

namespace fude {

// GPT-2 of 124 million parameters; `context` is its number of positions.
std::unique_ptr<Transformer> random_gpt2(Device& device, Precision precision, int64_t context = 1024);

}  // namespace fude
