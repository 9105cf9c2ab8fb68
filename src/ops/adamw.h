// The optimiser's kernels: AdamW's step over stored elements, one pass that reads gradient, moments and values and
// writes the last three, and the sum of squares that clipping needs (sixteen f32 lanes per 4,096 elements, those in
// f64, in order). The values of a parameter that multiplies in bf16 are joined out of their halves and split again on
// the way. train/optimizer calls them through the kernel table; they have no gradient of their own.
#pragma once

#include "ops/kernels.h"
