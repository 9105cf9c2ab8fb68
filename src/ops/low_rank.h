// What an adapter adds to a product (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021), for
// inference:
//
//   y[n, first + o] += scale · Σ over r of b[o,r] · (Σ over k of a[r,k] · x[n,k])
//
// Both sums are chains of `linear` in f32, whatever the weight beside them multiplies in; then follow one
// multiplication and one addition for each output. y is complete before, its bias included. The matrices stay apart
// from the weight, which rows with other adapters, and without any, share: rows of a batch that an adapter does not
// name are not touched.
#pragma once

#include <memory>
#include <unordered_map>

#include "ops/pass.h"

namespace fude {

// Beside rows [first, first + O) of a weight. Both are panels in f32.
struct LowRank {
  Parameter a_RK, b_OR;
  float scale;
  int64_t first;
};

// For weights of one model, by the weight. The parts of one weight do not overlap.
struct Adapter {
  // Has the matrices' memory, which may be taken and given back while the model's own device is at work.
  std::unique_ptr<Device> home;
  std::unordered_map<const Parameter*, std::vector<LowRank>> parts;
};

// Adds to the rows of y_NO = x_NK · weightᵀ what their adapters have for this weight. Both f32. Error with a tape:
// nothing here has a gradient.
void add_adapters(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const TokenBatch& batch,
                  Tensor& y_NO);

}  // namespace fude
