// An f32 in two halves: the bf16 nearest to it, which matrices multiply with, and what that lacks, in units of the
// f32's last place. A weight that is trained in bf16 is kept so: its f32 master value costs two bytes beside the bf16,
// not four, and nothing is lost (the idea of "split SGD", Kalamkar et al., arXiv:2005.04680).
//
// Ties go away from zero here, not to even: the remainder of a tie is then always -2^15, and all fit in 16 bits.
#pragma once

#include "tensor/dtype.h"

namespace fude {

struct SplitFloat {
  BFloat16 upper;
  int16_t remainder = 0;

  SplitFloat() = default;
  // NaN stays NaN.
  explicit SplitFloat(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    const bool is_nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    upper.bits = is_nan ? 0x7FC0 : uint16_t((bits + 0x8000u) >> 16);
    remainder = int16_t(bits - (uint32_t(upper.bits) << 16));
  }
  SplitFloat(BFloat16 upper_half, int16_t what_it_lacks) : upper(upper_half), remainder(what_it_lacks) {}
  explicit operator float() const {
    return std::bit_cast<float>((uint32_t(upper.bits) << 16) + uint32_t(int32_t(remainder)));
  }
};

}  // namespace fude
