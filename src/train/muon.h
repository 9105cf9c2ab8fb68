// The direction of Muon (Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024): the momentum
// matrix with its singular values brought near 1 by five Newton-Schulz steps. The products run on the kernels of
// `linear`, so they are as fast and as deterministic as the model's.
#pragma once

#include "ops/pass.h"

namespace fude {

// What Muon is for: the matrices inside the blocks. Tables and the head, whose rows are tokens, stay with AdamW.
bool is_block_matrix(const Parameter& parameter);

// Momentum of one parameter, and what becomes of it.
struct MuonStep {
  float learning_rate, momentum, weight_decay;
  float gradient_scale;  // clipping
};

// X, [rows, cols] row-major f32, becomes near-orthogonal: X ← aX + (bA + cA²)X with A = XXᵀ, five times, from X / |X|.
// A zero matrix stays zero.
void orthogonalize(const Pass& pass, Tensor& x);

// One step on a matrix: Nesterov momentum (in the parameter's element order), then, for each matrix of each segment by
// itself, values ← values · (1 - rate · decay) - rate · sqrt(max(1, rows / cols)) · orthogonalize(direction).
void muon_step(const Pass& pass, const Tensor& gradient, const MuonStep& step, Tensor& momentum, Parameter& parameter);

}  // namespace fude
