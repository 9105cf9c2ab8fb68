// Sums of integers for linear over blocks: products of levels and activations, in bytes, are summed exactly, with
// whatever instruction the tier has for it.
#pragma once

#include "ops/linear_blocks_levels_cpu.h"

namespace {

// What a signed or large level needs beside a product of bytes: pairs of 16 bits where there is no other instruction.
template <WeightType kType>
struct UnitLayout {
  static constexpr BlockShape kShape = block_shape(kType);
  static constexpr bool kHasDot = FUDE_TIER_LEVEL >= 3;
  static constexpr bool kIsWide = kShape.bits == 8 && !kHasDot;
  static constexpr int kMiddle = kShape.bits == 8 && kHasDot ? 128 : kShape.middle;
  // Words of a packed row and unit: q, a, a · Σ q, and -middle · Σ q for each scale, from which a sum begins.
  static constexpr int64_t kLow = (kIsWide ? 16 : 8) + 1, kSums = kLow + kShape.has_low,
                           kWords = kSums + (kMiddle != 0 ? kShape.scales : 0);
};

// Opaque to the compiler, which otherwise turns chains of integer additions into trees and loads every broadcast before
// a loop, all of it through the stack.
template <class T>
FUDE_INLINE void keep_order([[maybe_unused]] T& vector) {
#if FUDE_TIER_LEVEL >= 1
  asm("" : "+v"(vector));
#endif
}
FUDE_INLINE const float* reload(const float* p) {
  asm volatile("" : "+r"(p));
  return p;
}

// Σ level · q of one row and a vector of outputs, four columns at a time. kStep counts the calls for one sum, of
// kSteps.
template <WeightType kType>
struct LevelSum {
  using Layout = UnitLayout<kType>;
  static constexpr bool kBegins = Layout::kMiddle != 0;  // else with nothing
  IntPart total;
  FUDE_INLINE void begin(float words) { total = (IntPart)fill_part(words); }
#if FUDE_TIER_LEVEL >= 3
  struct Levels {
    IntPart x;
    explicit Levels(UintPart levels) : x((IntPart)(Layout::kShape.bits == 8 ? levels ^ 0x80808080u : levels)) {}
  };
  template <int kStep, int kSteps>
  FUDE_INLINE void add(const Levels& levels, const float* q, int64_t) {
    const IntPart from = kStep == 0 && !kBegins ? IntPart{} : total;
    total = (IntPart)_mm512_dpbusd_epi32((__m512i)from, (__m512i)levels.x, (__m512i)fill_part(*q));
    keep_order(total);
  }
#elif FUDE_TIER_LEVEL >= 1
  typedef int16_t ShortPart __attribute__((vector_size(sizeof(IntPart))));
  static FUDE_INLINE IntPart multiply_pairs(ShortPart a, ShortPart b) {
#if FUDE_TIER_LEVEL == 2
    return (IntPart)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#else
    return (IntPart)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#endif
  }
  static FUDE_INLINE ShortPart multiply_bytes(IntPart levels, IntPart q) {
#if FUDE_TIER_LEVEL == 2
    return (ShortPart)_mm512_maddubs_epi16((__m512i)levels, (__m512i)q);
#else
    return (ShortPart)_mm256_maddubs_epi16((__m256i)levels, (__m256i)q);
#endif
  }
  struct Levels {  // wide: columns 0 and 2, columns 1 and 3 as 16 bits
    IntPart x, odd;
    explicit Levels(UintPart levels) : x((IntPart)levels), odd{} {
      if constexpr (Layout::kIsWide)
        x = (IntPart)((ShortPart)(levels << 8) >> 8), odd = (IntPart)((ShortPart)levels >> 8);
    }
  };
  // Sums of pairs of products that 16 bits hold.
  static constexpr int kFold = 32767 / (2 * 127 * ((1 << std::min(Layout::kShape.bits, 6)) - 1));
  ShortPart some;
  template <int kStep, int kSteps>
  FUDE_INLINE void add(const Levels& levels, const float* q, int64_t next_q) {
    if constexpr (Layout::kIsWide) {
      const IntPart product = multiply_pairs((ShortPart)levels.x, (ShortPart)fill_part(q[0])) +
                              multiply_pairs((ShortPart)levels.odd, (ShortPart)fill_part(q[next_q]));
      total = kStep == 0 && !kBegins ? product : total + product;
      keep_order(total);
    } else {
      const ShortPart product = multiply_bytes(levels.x, (IntPart)fill_part(*q));
      some = kStep % kFold == 0 ? product : some + product;
      keep_order(some);
      if constexpr (kStep % kFold == kFold - 1 || kStep == kSteps - 1) {
        const IntPart sum = multiply_pairs(some, ShortPart{} + int16_t(1));
        total = kStep < kFold && !kBegins ? sum : total + sum;
      }
    }
  }
#else
  struct Levels {
    UintPart x;
    explicit Levels(UintPart levels) : x(levels) {}
  };
  template <int kStep, int kSteps>
  FUDE_INLINE void add(const Levels& levels, const float* q, int64_t next_q) {
    if (kStep == 0 && !kBegins) total = IntPart{};
    for (int lane = 0; lane < kPartLanes; ++lane)
      for (int i = 0; i < 4; ++i) {
        const int level = int(levels.x[lane] >> (8 * i) & 255);
        if constexpr (Layout::kIsWide) {
          int16_t pair[2];
          __builtin_memcpy(pair, q + i % 2 * next_q, 4);
          total[lane] += int(int8_t(level)) * pair[i / 2];
        } else {
          total[lane] += level * reinterpret_cast<const int8_t*>(q)[i];
        }
      }
  }
#endif
};

}  // namespace
