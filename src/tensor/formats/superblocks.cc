// The K formats: superblocks of 256 values in groups. A group has a small integer as its scale; what that counts in is
// an f16 of the superblock.
//
//   Q4_K   unit f16 | low unit f16 | 12 bytes of scales and lows | 128 bytes               8 groups of 32
//   Q5_K   unit f16 | low unit f16 | 12 bytes of scales and lows | 32 bytes | 128 bytes    8 groups of 32
//          value = level * (scale * unit) - low * low unit;   scale, low: 6 bits
//   Q6_K   128 bytes | 64 bytes | 16 scales of 8 bits, signed | unit f16                   16 groups of 16
//          value = (level - 32) * (scale * unit)
//
// Q4_K, Q5_K: byte i of run r (of 32 bytes) in the 128 holds four bits of value i in groups 2r (below) and 2r + 1
// (above); bit g of byte i in the 32 is the fifth bit of value i in group g. The 12 bytes, from the highest bit down:
//
//   byte g       high two of scale g + 4 | scale g, six bits       g = 0 … 3
//   byte g + 4   high two of low g + 4   | low g, six bits
//   byte g + 8   low four of low g + 4   | low four of scale g + 4
//
// Q6_K: each half has 128 values as four runs of 32. Value i of run r: four bits in byte i + 32 (r mod 2) of the half's
// 64 (below for r = 0 and 1, above for 2 and 3), and two in byte i of its 32, at bit 2r.
//
// Encoding tries some scales around the obvious one for each group and keeps the one with the least weighted squared
// error. Which are tried, and the order of every sum, is ggml's, so that the bytes are too.
#include <array>
#include <cmath>

#include "tensor/formats/families.h"

namespace fude {
namespace {

constexpr int kSuperblock = 256;

// Eight bytes at once: each keeps to its own bits.
constexpr int kWord = 8;
constexpr uint64_t kEachNibble = 0x0F0F0F0F0F0F0F0F, kEachPair = 0x0303030303030303, kEachOne = 0x0101010101010101;
uint64_t eight_at(const std::byte* from) {
  uint64_t word;
  std::memcpy(&word, from, kWord);
  return word;
}

// Q4_K and Q5_K.
template <int bits>
struct LineLayout {
  static constexpr int64_t scales = 4, fifths = 16, nibbles = fifths + (bits == 5 ? 32 : 0), bytes = nibbles + 128;
  static constexpr int group = 32, groups = kSuperblock / group;
  static constexpr float most = (1 << bits) - 1;
  // Scales that are tried: as if the highest level were most + first, and so on in steps of 0.1.
  static constexpr float first = bits == 4 ? -1.0f : -0.5f;
  static constexpr int tries = bits == 4 ? 21 : 16;
};

struct ScaleAndLow {
  unsigned scale, low;
};

ScaleAndLow unpack_group(const std::byte* scales, int group) {
  const auto byte = [&](int i) { return unsigned(scales[i]); };
  if (group < 4) return {byte(group) & 63, byte(group + 4) & 63};
  return {(byte(group + 4) & 15) | byte(group - 4) >> 6 << 4, byte(group + 4) >> 4 | byte(group) >> 6 << 4};
}

// Into zeros, or bits that other groups have set.
void pack_group(ScaleAndLow value, int group, std::byte* scales) {
  if (group < 4) {
    scales[group] |= std::byte(value.scale), scales[group + 4] |= std::byte(value.low);
  } else {
    scales[group + 4] = std::byte((value.scale & 15) | (value.low & 15) << 4);
    scales[group - 4] |= std::byte(value.scale >> 4 << 6), scales[group] |= std::byte(value.low >> 4 << 6);
  }
}

template <int bits>
void take_apart_lines(const std::byte* from, BlockCodes& codes) {
  using Layout = LineLayout<bits>;
  std::memcpy(&codes.unit, from, 2), std::memcpy(&codes.low_unit, from + 2, 2);
  for (int g = 0; g < Layout::groups; ++g) {
    const ScaleAndLow integers = unpack_group(from + Layout::scales, g);
    codes.scales[g] = uint8_t(integers.scale), codes.lows[g] = uint8_t(integers.low);
    const std::byte* nibbles = from + Layout::nibbles + g / 2 * Layout::group;
    uint8_t* levels = codes.levels + g * Layout::group;
    for (int i = 0; i < Layout::group; i += kWord) {
      uint64_t some = eight_at(nibbles + i) >> (g % 2 * 4) & kEachNibble;
      if (bits == 5) some |= (eight_at(from + Layout::fifths + i) >> g & kEachOne) << 4;
      std::memcpy(levels + i, &some, kWord);
    }
  }
}

template <int bits>
void put_together_lines(const BlockCodes& codes, std::byte* to) {
  using Layout = LineLayout<bits>;
  std::memset(to, 0, Layout::bytes);
  std::memcpy(to, &codes.unit, 2), std::memcpy(to + 2, &codes.low_unit, 2);
  for (int g = 0; g < Layout::groups; ++g) {
    pack_group({codes.scales[g], codes.lows[g]}, g, to + Layout::scales);
    std::byte* nibbles = to + Layout::nibbles + g / 2 * Layout::group;
    const uint8_t* levels = codes.levels + g * Layout::group;
    for (int i = 0; i < Layout::group; ++i) {
      nibbles[i] |= std::byte((levels[i] & 15) << (g % 2 * 4));
      if (bits == 5) to[Layout::fifths + i] |= std::byte(levels[i] >> 4 << g);
    }
  }
}

template <int bits>
void decode_lines(const std::byte* from, int64_t blocks, float* to) {
  using Layout = LineLayout<bits>;
  BlockCodes codes;
  for (; blocks > 0; --blocks, from += Layout::bytes) {
    take_apart_lines<bits>(from, codes);
    const float unit = half_of(codes.unit), low_unit = half_of(codes.low_unit);
    const uint8_t* levels = codes.levels;
    for (int g = 0; g < Layout::groups; ++g, to += Layout::group, levels += Layout::group) {
      const float scale = unit * float(codes.scales[g]), low = low_unit * float(codes.lows[g]);
      for (int i = 0; i < Layout::group; ++i) to[i] = scale * float(levels[i]) - low;
    }
  }
}

// x ≈ scale * level + low, with low at most 0.
struct Line {
  float scale, low;
};

// The line for one group, and the levels on it. Values far from zero weigh more: by their size, beside that of the
// group's root mean square.
template <int bits>
Line fit_line(const float* x, float* levels) {
  using Layout = LineLayout<bits>;
  constexpr int n = Layout::group;
  float squares = 0, weights[n], tried[n];
  for (int i = 0; i < n; ++i) squares += x[i] * x[i];
  const float size = std::sqrt(squares / float(n));
  float low = x[0], high = x[0], sum_w = 0, sum_wx = 0;
  for (int i = 0; i < n; ++i) {
    low = std::min(low, x[i]), high = std::max(high, x[i]);
    weights[i] = size + std::fabs(x[i]);
    sum_w += weights[i], sum_wx += weights[i] * x[i];
  }
  if (low > 0) low = 0;
  Line best = {0, low};
  std::fill_n(levels, n, 0.0f);
  if (high == low) return best;
  // A try begins at the low end of the best line so far.
  const auto set_levels = [&](float inverse, float* to) {
    for (int i = 0; i < n; ++i) to[i] = nearest_even(inverse * (x[i] - best.low), 0, Layout::most);
  };
  const auto error_of = [&](const Line& line, const float* on) {
    float error = 0;
    for (int i = 0; i < n; ++i) {
      const float difference = line.scale * on[i] + line.low - x[i];
      error += weights[i] * (difference * difference);
    }
    return error;
  };
  const float plain = Layout::most / (high - low);
  best.scale = 1 / plain;
  set_levels(plain, levels);
  float least = error_of(best, levels);
  for (int t = 0; t < Layout::tries; ++t) {
    set_levels((Layout::first + 0.1f * float(t) + Layout::most) / (high - best.low), tried);
    float sum_l = 0, sum_ll = 0, sum_xl = 0;
    for (int i = 0; i < n; ++i) {
      const float weighted = weights[i] * tried[i];
      sum_l += weighted, sum_ll += weighted * tried[i], sum_xl += weighted * x[i];
    }
    // Least squares for these levels; without `low` where it would come out positive.
    const float determinant = sum_w * sum_ll - sum_l * sum_l;
    if (!(determinant > 0)) continue;
    Line line = {(sum_w * sum_xl - sum_wx * sum_l) / determinant, (sum_ll * sum_wx - sum_l * sum_xl) / determinant};
    if (line.low > 0) line = {sum_xl / sum_ll, 0};
    const float error = error_of(line, tried);
    if (error < least) best = line, least = error, std::copy_n(tried, n, levels);
  }
  return best;
}

template <int bits>
void encode_lines(const float* from, int64_t blocks, std::byte* to) {
  using Layout = LineLayout<bits>;
  for (; blocks > 0; --blocks, from += kSuperblock, to += Layout::bytes) {
    float levels[kSuperblock], most_scale = 0, most_low = 0;
    Line lines[Layout::groups];
    for (int g = 0; g < Layout::groups; ++g) {
      lines[g] = fit_line<bits>(from + g * Layout::group, levels + g * Layout::group);
      most_scale = std::max(most_scale, lines[g].scale), most_low = std::max(most_low, -lines[g].low);
    }
    BlockCodes codes;
    codes.unit = half_bits(most_scale / 63.0f), codes.low_unit = half_bits(most_low / 63.0f);
    const float scale_steps = most_scale > 0 ? 63.0f / most_scale : 0.0f;
    const float low_steps = most_low > 0 ? 63.0f / most_low : 0.0f;
    for (int g = 0; g < Layout::groups; ++g) {
      codes.scales[g] = uint8_t(nearest_even(scale_steps * lines[g].scale, 0, 63));
      codes.lows[g] = uint8_t(nearest_even(low_steps * -lines[g].low, 0, 63));
      const float scale = half_of(codes.unit) * float(codes.scales[g]);
      const float low = half_of(codes.low_unit) * float(codes.lows[g]);
      for (int i = g * Layout::group; i < (g + 1) * Layout::group; ++i)
        // The levels again, for the scale that will be read. Where that is 0 they say nothing, and stay.
        codes.levels[i] = uint8_t(scale != 0 ? nearest_even((from[i] + low) / scale, 0, Layout::most) : levels[i]);
    }
    put_together_lines<bits>(codes, to);
  }
}

// Q6_K.
struct SixLayout {
  static constexpr int64_t pairs = 128, scales = 192, unit = 208, bytes = 210;
  static constexpr int group = 16, groups = kSuperblock / group, run = 32;
};

// Calls f(value, byte with its four bits, their shift, byte with its two bits, their shift) for every kStep-th value:
// those behind it are alike, up to the next.
template <int kStep, class F>
void for_six(F f) {
  for (int r = 0; r < 8; ++r) {
    const int half = r / 4, run = r % 4;
    for (int i = 0; i < SixLayout::run; i += kStep)
      f(r * SixLayout::run + i, half * 64 + run % 2 * 32 + i, run / 2 * 4, SixLayout::pairs + half * 32 + i, run * 2);
  }
}

void take_apart_six(const std::byte* from, BlockCodes& codes) {
  std::memcpy(&codes.unit, from + SixLayout::unit, 2);
  std::memcpy(codes.scales, from + SixLayout::scales, SixLayout::groups);
  for_six<kWord>([&](int value, int four, int four_shift, int two, int two_shift) {
    const uint64_t some =
        (eight_at(from + four) >> four_shift & kEachNibble) | (eight_at(from + two) >> two_shift & kEachPair) << 4;
    std::memcpy(codes.levels + value, &some, kWord);
  });
}

void put_together_six(const BlockCodes& codes, std::byte* to) {
  std::memset(to, 0, SixLayout::bytes);
  std::memcpy(to + SixLayout::unit, &codes.unit, 2);
  std::memcpy(to + SixLayout::scales, codes.scales, SixLayout::groups);
  for_six<1>([&](int value, int four, int four_shift, int two, int two_shift) {
    to[four] |= std::byte((codes.levels[value] & 15) << four_shift);
    to[two] |= std::byte(codes.levels[value] >> 4 << two_shift);
  });
}

void decode_six(const std::byte* from, int64_t blocks, float* to) {
  BlockCodes codes;
  for (; blocks > 0; --blocks, from += SixLayout::bytes, to += kSuperblock) {
    take_apart_six(from, codes);
    const float unit = half_of(codes.unit);
    for (int i = 0; i < kSuperblock; ++i)
      to[i] = unit * float(int8_t(codes.scales[i / SixLayout::group])) * float(codes.levels[i] - 32);
  }
}

// The scale for one group, and the levels from -32 to 31. Values weigh by their squares. For levels l the best scale is
// Σwxl / Σwll, and what it saves of the error is (Σwxl)² / Σwll.
float fit_scale(const float* x, float* levels) {
  constexpr int n = SixLayout::group;
  constexpr float smallest = 1e-15f;  // below, the products that follow would run out of f32's range
  std::fill_n(levels, n, -32.0f);
  float farthest = 0, scale = 0, saved = -1;
  for (int i = 0; i < n; ++i)
    if (std::fabs(x[i]) > std::fabs(farthest)) farthest = x[i];
  if (std::fabs(farthest) < smallest) return 0;
  // As if the farthest value had level -32, the longer side, or -31.1 to -32.9. The scale's sign makes it negative.
  for (int step : {0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
    const float inverse = -(32.0f + 0.1f * float(step)) / farthest;
    float tried[n], sum_xl = 0, sum_ll = 0;
    for (int i = 0; i < n; ++i) {
      tried[i] = nearest_even(inverse * x[i], -32, 31);
      const float weight = x[i] * x[i];
      sum_xl += weight * x[i] * tried[i], sum_ll += weight * tried[i] * tried[i];
    }
    if (!(sum_ll > 0 && sum_xl * sum_xl > saved * sum_ll)) continue;
    scale = sum_xl / sum_ll, saved = scale * sum_xl;
    std::copy_n(tried, n, levels);
  }
  return scale;
}

void encode_six(const float* from, int64_t blocks, std::byte* to) {
  for (; blocks > 0; --blocks, from += kSuperblock, to += SixLayout::bytes) {
    float levels[kSuperblock], scales[SixLayout::groups], farthest = 0;
    for (int g = 0; g < SixLayout::groups; ++g) {
      scales[g] = fit_scale(from + g * SixLayout::group, levels + g * SixLayout::group);
      if (std::fabs(scales[g]) > std::fabs(farthest)) farthest = scales[g];
    }
    BlockCodes codes{};
    if (std::fabs(farthest) >= 1e-15f) {
      const float steps = -128.0f / farthest;
      codes.unit = half_bits(1 / steps);
      for (int g = 0; g < SixLayout::groups; ++g) {
        const float integer = nearest_even(steps * scales[g], -128, 127);
        codes.scales[g] = uint8_t(int(integer));
        const float scale = half_of(codes.unit) * integer;
        for (int i = g * SixLayout::group; i < (g + 1) * SixLayout::group; ++i)
          codes.levels[i] = uint8_t(int(scale != 0 ? nearest_even(from[i] / scale, -32, 31) : levels[i]) + 32);
      }
    }
    put_together_six(codes, to);
  }
}

template <int bits>
constexpr WeightFormat line_format(WeightType type, std::string_view name, uint32_t gguf_id) {
  return {type,
          name,
          gguf_id,
          kSuperblock,
          LineLayout<bits>::bytes,
          decode_lines<bits>,
          encode_lines<bits>,
          take_apart_lines<bits>,
          put_together_lines<bits>};
}

}  // namespace

std::span<const WeightFormat> superblock_formats() {
  static constexpr std::array<WeightFormat, 3> formats = {{
      line_format<4>(WeightType::q4_k, "Q4_K", 12),
      line_format<5>(WeightType::q5_k, "Q5_K", 13),
      {WeightType::q6_k, "Q6_K", 14, kSuperblock, SixLayout::bytes, decode_six, encode_six, take_apart_six,
       put_together_six},
  }};
  return formats;
}

}  // namespace fude
