#include "tensor/block_panels.h"

#include <cstring>

namespace fude {
namespace {

// Four levels, a byte each: what the layout moves at a time.
uint32_t word_at(const void* bytes, int64_t word) {
  uint32_t value;
  std::memcpy(&value, static_cast<const std::byte*>(bytes) + 4 * word, 4);
  return value;
}
void set_word(void* bytes, int64_t word, uint32_t value) {
  std::memcpy(static_cast<std::byte*>(bytes) + 4 * word, &value, 4);
}

void copy_half(const void* from, int64_t from_lane, void* to, int64_t to_lane) {
  std::memcpy(static_cast<std::byte*>(to) + 2 * to_lane, static_cast<const std::byte*>(from) + 2 * from_lane, 2);
}

constexpr uint32_t kLowNibbles = 0x0F0F0F0F, kOnes = 0x01010101, kPairs = 0x03030303;

// Blocks of 32 columns: the file's words are those of the panel (its byte i has levels i and i + 16, so groups g and
// g + 4), and move as they are. Only fifth bits, in the file one behind the other, are spread: bit 4g + j to byte j.
template <WeightType kType>
void put(const WeightFormat&, const std::byte* from, int64_t lane, std::byte* block) {
  constexpr BlockShape shape = block_shape(kType);
  copy_half(from, 0, block, lane);
  if (shape.has_low) copy_half(from, 1, block + shape.lows(), lane);
  from += shape.has_low ? 4 : 2;
  if (shape.bits == 5) {
    const uint32_t fifths = word_at(from, 0);
    uint32_t spread = 0;
    for (int g = 0; g < 8; ++g) spread |= ((fifths >> 4 * g & 15) * 0x00204081 & kOnes) << g;
    set_word(block + shape.highs(), lane, spread);
    from += 4;
  }
#pragma GCC unroll 8
  for (int64_t word = 0; word < shape.bits / 4 * 4; ++word)
    set_word(block + shape.levels(), word * kPanel + lane, word_at(from, word));
}

template <WeightType kType>
requires(block_shape(kType).is_super) void put(const WeightFormat& format, const std::byte* from, int64_t lane,
                                               std::byte* block) {
  constexpr BlockShape shape = block_shape(kType);
  BlockCodes codes;
  format.take_apart(from, codes);
  copy_half(&codes.unit, 0, block, lane);
  if (shape.has_low) copy_half(&codes.low_unit, 0, block + 2 * kPanel, lane);
  for (int64_t unit = 0; unit < shape.columns() / kUnitColumns; ++unit) {
    std::byte* to = block + shape.header() + unit * shape.unit();
    for (int64_t i = 0; i < shape.scales; ++i) to[i * kPanel + lane] = std::byte(codes.scales[unit * shape.scales + i]);
    if (shape.has_low) to[shape.lows() + lane] = std::byte(codes.lows[unit]);
    const auto level = [&](int64_t group) { return word_at(codes.levels + unit * kUnitColumns, group); };
    for (int64_t g = 0; g < 4; ++g)
      set_word(to + shape.levels(), g * kPanel + lane, (level(g) & kLowNibbles) | (level(g + 4) & kLowNibbles) << 4);
    uint32_t highs[2] = {};
    for (int64_t g = 0; g < 8; ++g)
      if (shape.bits == 5)
        highs[0] |= (level(g) >> 4 & kOnes) << g;
      else
        highs[g / 4] |= (level(g) >> 4 & kPairs) << 2 * (g % 4);
    for (int64_t plane = 0; plane < shape.bits - 4; ++plane)
      set_word(to + shape.highs(), plane * kPanel + lane, highs[plane]);
  }
}

template <WeightType kType>
void take(const std::byte* block, int64_t lane, BlockCodes& codes) {
  constexpr BlockShape shape = block_shape(kType);
  if (shape.is_super) {
    copy_half(block, lane, &codes.unit, 0);
    if (shape.has_low) copy_half(block + 2 * kPanel, lane, &codes.low_unit, 0);
  }
  for (int64_t unit = 0; unit < shape.columns() / kUnitColumns; ++unit) {
    const std::byte* from = block + shape.header() + unit * shape.unit();
    if (shape.is_super) {
      for (int64_t i = 0; i < shape.scales; ++i)
        codes.scales[unit * shape.scales + i] = uint8_t(from[i * kPanel + lane]);
      if (shape.has_low) codes.lows[unit] = uint8_t(from[shape.lows() + lane]);
    } else {
      copy_half(from, lane, &codes.unit, 0);
      if (shape.has_low) copy_half(from + shape.lows(), lane, &codes.low_unit, 0);
    }
    for (int64_t g = 0; g < 8; ++g) {
      uint32_t level;
      if (shape.bits == 8) {
        level = word_at(from + shape.levels(), g * kPanel + lane);
      } else {
        level = word_at(from + shape.levels(), g % 4 * kPanel + lane) >> g / 4 * 4 & kLowNibbles;
        if (shape.bits == 5) level |= (word_at(from + shape.highs(), lane) >> g & kOnes) << 4;
        if (shape.bits == 6)
          level |= (word_at(from + shape.highs(), g / 4 * kPanel + lane) >> 2 * (g % 4) & kPairs) << 4;
      }
      set_word(codes.levels + unit * kUnitColumns, g, level);
    }
  }
}

}  // namespace

void put_in_panel(const WeightFormat& format, const std::byte* rows, int64_t row_bytes, int64_t first_lane,
                  int64_t count, std::byte* block) {
  with_block_type(format.type, [&](auto type) {
    for (int64_t i = 0; i < count; ++i) put<type()>(format, rows + i * row_bytes, first_lane + i, block);
  });
}

void take_from_panel(const WeightFormat& format, const std::byte* block, int64_t lane, BlockCodes& codes) {
  with_block_type(format.type, [&](auto type) { take<type()>(block, lane, codes); });
}

}  // namespace fude
