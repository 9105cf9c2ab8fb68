// Blocks of 32 values that share a scale: levels of 4, 5 or 8 bits.
//
//   Q8_0   scale f16 | 32 levels of 8 bits, signed                               value = level * scale
//   Q4_0   scale f16 | 16 bytes                                                  value = (level - 8) * scale
//   Q5_0   scale f16 | 32 fifth bits | 16 bytes                                  value = (level - 16) * scale
//   Q4_1   scale f16 | low f16 | 16 bytes                                        value = level * scale + low
//   Q5_1   scale f16 | low f16 | 32 fifth bits | 16 bytes                        value = level * scale + low
//
// Byte i of the 16 holds four bits of level i (below) and of level i + 16 (above); fifth bit i belongs to level i.
// Without `low`, levels reach one further down than up (-8 … 7). So the value farthest from zero becomes the lowest
// level, whatever its sign; the scale has the opposite one.
#include <array>
#include <cmath>

#include "tensor/formats/families.h"

namespace fude {
namespace {

constexpr int kBlock = 32;

template <int bits, bool has_low>
struct BlockLayout {
  static constexpr int64_t fifths = has_low ? 4 : 2, nibbles = fifths + (bits == 5 ? 4 : 0), bytes = nibbles + 16;
  static constexpr int most = (1 << bits) - 1, middle = 1 << (bits - 1);
};

template <int bits, bool has_low>
void take_apart_block(const std::byte* from, BlockCodes& codes) {
  using Layout = BlockLayout<bits, has_low>;
  std::memcpy(&codes.unit, from, 2);
  if (has_low) std::memcpy(&codes.low_unit, from + 2, 2);
  for (int i = 0; i < 16; ++i) {
    const uint8_t byte = uint8_t(from[Layout::nibbles + i]);
    codes.levels[i] = byte & 15, codes.levels[i + 16] = byte >> 4;
  }
  uint32_t fifths = 0;
  if (bits == 5) {
    std::memcpy(&fifths, from + Layout::fifths, 4);
    for (int i = 0; i < kBlock; ++i) codes.levels[i] |= uint8_t((fifths >> i & 1) << 4);
  }
}

template <int bits, bool has_low>
void put_together_block(const BlockCodes& codes, std::byte* to) {
  using Layout = BlockLayout<bits, has_low>;
  std::memcpy(to, &codes.unit, 2);
  if (has_low) std::memcpy(to + 2, &codes.low_unit, 2);
  uint32_t fifths = 0;
  for (int i = 0; i < kBlock; ++i) fifths |= uint32_t(codes.levels[i] >> 4) << i;
  if (bits == 5) std::memcpy(to + Layout::fifths, &fifths, 4);
  for (int i = 0; i < 16; ++i)
    to[Layout::nibbles + i] = std::byte((codes.levels[i] & 15) | (codes.levels[i + 16] & 15) << 4);
}

template <int bits, bool has_low>
void decode_block(const std::byte* from, int64_t blocks, float* to) {
  using Layout = BlockLayout<bits, has_low>;
  BlockCodes codes;
  for (; blocks > 0; --blocks, from += Layout::bytes, to += kBlock) {
    take_apart_block<bits, has_low>(from, codes);
    const float scale = half_of(codes.unit), low = has_low ? half_of(codes.low_unit) : 0.0f;
    for (int i = 0; i < kBlock; ++i) {
      const int level = codes.levels[i];
      to[i] = has_low ? float(level) * scale + low : float(level - Layout::middle) * scale;
    }
  }
}

template <int bits, bool has_low>
void encode_block(const float* from, int64_t blocks, std::byte* to) {
  using Layout = BlockLayout<bits, has_low>;
  BlockCodes codes;
  for (; blocks > 0; --blocks, from += kBlock, to += Layout::bytes) {
    float low = from[0], high = from[0], farthest = 0;
    for (int i = 0; i < kBlock; ++i) {
      low = std::min(low, from[i]), high = std::max(high, from[i]);
      if (std::fabs(from[i]) > std::fabs(farthest)) farthest = from[i];
    }
    const float scale = has_low ? (high - low) / float(Layout::most) : farthest / float(-Layout::middle);
    const float inverse = scale != 0 ? 1 / scale : 0.0f;
    codes.unit = half_bits(scale);
    if (has_low) codes.low_unit = half_bits(low);
    for (int i = 0; i < kBlock; ++i) {
      const float x = has_low ? (from[i] - low) * inverse + 0.5f : from[i] * inverse + (float(Layout::middle) + 0.5f);
      codes.levels[i] = uint8_t(bounded(x, 0.0f, float(Layout::most)));
    }
    put_together_block<bits, has_low>(codes, to);
  }
}

constexpr int64_t kBytesOfQ8 = 2 + kBlock;

void take_apart_q8(const std::byte* from, BlockCodes& codes) {
  std::memcpy(&codes.unit, from, 2), std::memcpy(codes.levels, from + 2, kBlock);
}
void put_together_q8(const BlockCodes& codes, std::byte* to) {
  std::memcpy(to, &codes.unit, 2), std::memcpy(to + 2, codes.levels, kBlock);
}

void decode_q8(const std::byte* from, int64_t blocks, float* to) {
  BlockCodes codes;
  for (; blocks > 0; --blocks, from += kBytesOfQ8, to += kBlock) {
    take_apart_q8(from, codes);
    const float scale = half_of(codes.unit);
    for (int i = 0; i < kBlock; ++i) to[i] = float(int8_t(codes.levels[i])) * scale;
  }
}

void encode_q8(const float* from, int64_t blocks, std::byte* to) {
  BlockCodes codes;
  for (; blocks > 0; --blocks, from += kBlock, to += kBytesOfQ8) {
    float farthest = 0;
    for (int i = 0; i < kBlock; ++i) farthest = std::max(farthest, std::fabs(from[i]));
    const float scale = farthest / 127.0f, inverse = scale != 0 ? 1 / scale : 0.0f;
    codes.unit = half_bits(scale);
    for (int i = 0; i < kBlock; ++i) {
      // Halves go away from zero here. The difference to the integer part is exact, x + 0.5 would not be.
      const float x = bounded(from[i] * inverse, -127.0f, 127.0f);
      const int whole = int(x);
      const float rest = x - float(whole);
      codes.levels[i] = uint8_t(whole + (rest >= 0.5f) - (rest <= -0.5f));
    }
    put_together_q8(codes, to);
  }
}

template <int bits, bool has_low>
constexpr WeightFormat block_format(WeightType type, std::string_view name, uint32_t gguf_id) {
  return {type,
          name,
          gguf_id,
          kBlock,
          BlockLayout<bits, has_low>::bytes,
          decode_block<bits, has_low>,
          encode_block<bits, has_low>,
          take_apart_block<bits, has_low>,
          put_together_block<bits, has_low>};
}

}  // namespace

std::span<const WeightFormat> block_formats() {
  static constexpr std::array<WeightFormat, 5> formats = {{
      {WeightType::q8_0, "Q8_0", 8, kBlock, kBytesOfQ8, decode_q8, encode_q8, take_apart_q8, put_together_q8},
      block_format<4, false>(WeightType::q4_0, "Q4_0", 2),
      block_format<4, true>(WeightType::q4_1, "Q4_1", 3),
      block_format<5, false>(WeightType::q5_0, "Q5_0", 6),
      block_format<5, true>(WeightType::q5_1, "Q5_1", 7),
  }};
  return formats;
}

}  // namespace fude
