// Models of random weights for the benchmarks, and what the arithmetic of a model comes to.
#pragma once

#include <memory>

#include "model/transformer.h"

namespace fude {

// GPT-2 of 124 million parameters; `context` is its number of positions.
std::unique_ptr<Transformer> random_gpt2(Device& device, Precision precision, int64_t context = 1024);

// Weights that one token is multiplied with: the matrices of the blocks, and the classifier.
int64_t block_weights(const ModelConfig& config);
int64_t classifier_weights(const ModelConfig& config);
// Multiply-adds of causal attention over `tokens` new tokens behind `before` others, one layer after the
// other.
double attention_products(const ModelConfig& config, int64_t tokens, int64_t before = 0);

}  // namespace fude
