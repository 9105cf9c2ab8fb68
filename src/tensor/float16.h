// IEEE half precision, for weights and the scales of quantised blocks. No kernel computes in it: it is widened first.
// Portable, and exact for every bit pattern: the same numbers as the conversion instructions of CPUs that have them.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace fude {

struct Float16 {
  uint16_t bits = 0;

  Float16() = default;
  // Rounds to nearest even; 65520 and more become infinity. NaN stays NaN, with its sign alone.
  explicit Float16(float x) {
    const uint32_t u = std::bit_cast<uint32_t>(x), magnitude = u & 0x7FFFFFFFu;
    uint32_t half = 0;
    if (magnitude > 0x7F800000u) {
      half = 0x7E00;
    } else if (magnitude >= 0x477FF000u) {
      half = 0x7C00;
    } else if (magnitude >= 0x38800000u) {
      half = (magnitude - 0x38000000u + 0xFFFu + (magnitude >> 13 & 1u)) >> 13;
    } else {
      // Subnormal, in steps of 2^-24: that is the last place of 0.5, so the addition rounds.
      half = std::bit_cast<uint32_t>(std::fabs(x) + 0.5f) - std::bit_cast<uint32_t>(0.5f);
    }
    bits = uint16_t(half | (u >> 16 & 0x8000u));
  }
  explicit operator float() const {
    const uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = bits >> 10 & 31, mantissa = bits & 1023;
    uint32_t magnitude = (uint32_t(bits & 0x7FFF) << 13) + 0x38000000u;
    if (exponent == 31) magnitude = 0x7F800000u | mantissa << 13 | (mantissa ? 0x400000u : 0u);
    if (exponent == 0) magnitude = std::bit_cast<uint32_t>(float(mantissa) * 0x1p-24f);
    return std::bit_cast<float>(sign | magnitude);
  }
};

}  // namespace fude
