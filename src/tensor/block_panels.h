// Blocks of integers in panels of 32 rows: the bits of the file in another order, so that 32 rows are multiplied beside
// each other. A panel takes a block (32 or 256 columns) of all its rows, then the next:
//
//   K formats: units f16 [32], low units f16 [32]
//   for every 32 columns:
//     scales f16 [32], lows f16 [32]          (K: scales u8 [32], in Q6_K [2][32], each for 16 columns; lows u8 [32])
//     high bits, [32 rows][4 columns] bytes   (fifth bit: bit g; Q6_K: two bits at 2(g mod 4) of plane g/4)
//     levels, [group][32 rows][4 columns]     (groups g and g + 4 in the halves of a byte; Q8_0: a byte each)
//
// g = 0 … 7 counts groups of four columns: what integer dot products take at a time. Lows and high bits are there where
// the format has them. Only the packed scales of Q4_K and Q5_K grow, from 6 bits to 8 (by 2.8 and 2.3 %).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "tensor/format.h"

namespace fude {

inline constexpr int64_t kPanel = 32;
// Columns that are multiplied together, whatever the format's block.
inline constexpr int64_t kUnitColumns = 32;

// What one unit of a panel looks like, known at compile time to kernels. Offsets and sizes in bytes.
struct BlockShape {
  int bits;      // of a level
  int middle;    // value = scale · (level - middle) + low
  bool has_low;  // in K formats to be subtracted
  bool is_super;
  int scales;  // in a unit: 2 if each counts for 16 columns

  constexpr int64_t columns() const { return is_super ? 256 : kUnitColumns; }
  constexpr int64_t header() const { return is_super ? (has_low ? 128 : 64) : 0; }
  constexpr int64_t lows() const { return is_super ? kPanel * scales : 2 * kPanel; }
  constexpr int64_t highs() const { return lows() + (has_low ? (is_super ? kPanel : 2 * kPanel) : 0); }
  constexpr int64_t levels() const { return highs() + (bits == 5 ? 128 : bits == 6 ? 256 : 0); }
  constexpr int64_t unit() const { return levels() + (bits == 8 ? 1024 : 512); }
  // Of a panel's block.
  constexpr int64_t bytes() const { return header() + columns() / kUnitColumns * unit(); }
};

constexpr BlockShape block_shape(WeightType type) {
  switch (type) {
    case WeightType::q4_0:
      return {4, 8, false, false, 1};
    case WeightType::q4_1:
      return {4, 0, true, false, 1};
    case WeightType::q5_0:
      return {5, 16, false, false, 1};
    case WeightType::q5_1:
      return {5, 0, true, false, 1};
    case WeightType::q4_k:
      return {4, 0, true, true, 1};
    case WeightType::q5_k:
      return {5, 0, true, true, 1};
    case WeightType::q6_k:
      return {6, 32, false, true, 2};
    default:
      return {8, 0, false, false, 1};  // Q8_0
  }
}

// Calls body with a block format's type as a compile-time constant; Error for one that block_shape does not name.
template <class Body>
inline void with_block_type(WeightType type, const Body& body) {
  const auto try_one = [&]<WeightType kType>(std::integral_constant<WeightType, kType> constant) {
    if (type != kType) return false;
    body(constant);
    return true;
  };
  const auto try_all = [&]<WeightType... kTypes>(std::integer_sequence<WeightType, kTypes...>) {
    return (try_one(std::integral_constant<WeightType, kTypes>()) || ...);
  };
  using enum WeightType;
  const bool is_known = try_all(std::integer_sequence<WeightType, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k>());
  require(is_known, "[blocks] expected a format with a shape of blocks, got number {}", int(type));
}

// Blocks as they lie in a file, one of each of `count` rows that are `row_bytes` apart, into lanes of a panel's block;
// other lanes stay.
void put_in_panel(const WeightFormat& format, const std::byte* rows, int64_t row_bytes, int64_t first_lane,
                  int64_t count, std::byte* panel_block);
// What a lane of a panel's block holds.
void take_from_panel(const WeightFormat& format, const std::byte* panel_block, int64_t lane, BlockCodes& codes);

}  // namespace fude
