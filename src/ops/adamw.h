// AdamW's step over stored elements: one pass that reads gradient, moments and values and writes the last three.
// Called by train/optimizer through the kernel table; no gradient of its own.
#pragma once

#include "ops/kernels.h"

namespace fude {

// Sum of squares of all elements: 16 f32 lanes per 4,096 elements, those in f64, in order.
inline double sum_of_squares(const Kernels& kernels, Threads& threads, const Tensor& x) {
  return kernels.sum_of_squares(threads, x);
}

}  // namespace fude
