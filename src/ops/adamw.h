// The optimiser's kernels: AdamW's step over stored elements, one pass that reads gradient, moments and values and
// writes the last three, and the sum of squares that clipping needs (sixteen f32 lanes per 4,096 elements, those in
// f64, in order). Where a parameter multiplies in bf16, its panels are written in the same pass, or by pack_bf16 after
// another change of its values. train/optimizer calls them through the kernel table; they have no gradient of their
// own.
#pragma once

#include "ops/kernels.h"
