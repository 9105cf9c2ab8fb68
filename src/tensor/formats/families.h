// The rows of the table of weight formats, by family; and what their codecs share.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>

#include "tensor/float16.h"
#include "tensor/format.h"

namespace fude {

std::span<const WeightFormat> plain_formats();       // F32 F16 BF16
std::span<const WeightFormat> block_formats();       // Q8_0 Q4_0 Q4_1 Q5_0 Q5_1
std::span<const WeightFormat> superblock_formats();  // Q4_K Q5_K Q6_K

inline float half_of(uint16_t bits) {
  Float16 half;
  half.bits = bits;
  return float(half);
}
inline uint16_t half_bits(float x) { return Float16(x).bits; }

// Within low … high; NaN gives low. What becomes an integer passes here first: a cast of anything else is undefined.
inline float bounded(float x, float low, float high) { return std::min(high, std::max(low, x)); }

// To the nearest integer, halves to even: where 1.5 * 2^23 is added, f32 has no digits behind the point.
inline float nearest_even(float x, float low, float high) {
  return bounded((x + 12582912.0f) - 12582912.0f, low, high);
}

}  // namespace fude
