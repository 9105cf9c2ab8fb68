// What an adapter adds to a product (Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021):
//
//   y[n, first + o] += scale · Σ over r of b[o,r] · (Σ over k of a[r,k] · x[n,k])
//
// Both sums are chains of `linear` in f32, whatever the weight beside them multiplies in; then follow one
// multiplication and one addition for each output. y is complete before, its bias included. The matrices stay apart
// from the weight, which rows with other adapters, and without any, share: rows of a batch that an adapter does not
// name are not touched.
//
// A table's row v is its product with a row x that is 1 at v and 0 elsewhere, so there A x is a column of A:
//
//   y[n,c] += scale · Σ over r of b[c,r] · a[r,rows[n]]
//
// Backward goes the same way. With g = scale · dy of the part's columns:
//
//   dB = gᵀ (A x)     d(A x) = g B     dA = d(A x)ᵀ x     dx += d(A x) A
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

// Beside a table whose rows are taken. A lies the other way round, a row of it for each of the table's.
struct LowRankTable {
  Parameter a_VR, b_CR;
  float scale;
};

// For weights of one model, by the weight. The parts of one weight do not overlap. A weight that is table and
// classifier may have both.
struct Adapter {
  // Has the matrices' memory, which may be taken and given back while the model's own device is at work.
  std::unique_ptr<Device> home;
  std::unordered_map<const Parameter*, std::vector<LowRank>> parts;
  std::unordered_map<const Parameter*, LowRankTable> tables;
};

// Adds to the rows of y_NO = x_NK · weightᵀ what their adapters have for this weight. Both f32. y is that of the
// product alone: nothing else has read it. With a tape the adapters must outlive its backward, which keeps A x.
void add_adapters(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK,
                  const std::vector<AdapterRows>& adapters, Tensor& y_NO);
// The same to x_NC = scale · table[rows,:], by one number: the product of both scales.
void add_adapters(const Pass& pass, const std::vector<int32_t>& rows_N, const Parameter& table_VC, float scale,
                  const std::vector<AdapterRows>& adapters, Tensor& x_NC);

}  // namespace fude
