// What the arithmetic of a model comes to, in multiply-adds: the measure that benchmarks and training hold their speed
// against.
#pragma once

#include "model/config.h"

namespace fude {

// Weights that one token is multiplied with: the matrices of the blocks, and the classifier.
int64_t block_weights(const ModelConfig& config);
int64_t classifier_weights(const ModelConfig& config);
// Multiply-adds of causal attention over `tokens` new tokens behind `before` others, one layer after the other.
double attention_products(const ModelConfig& config, int64_t tokens, int64_t before = 0);
// Multiply-adds of a prompt for the logits of its last token: in the last block the others end as keys and values.
double prompt_products(const ModelConfig& config, int64_t tokens);

}  // namespace fude
