// Element types of tensors.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "tensor/float16.h"

namespace fude {

// The upper half of an f32; arithmetic happens in f32.
struct BFloat16 {
  uint16_t bits = 0;

  BFloat16() = default;
  // Rounds to nearest even; NaN stays NaN.
  explicit BFloat16(float x) {
    const uint32_t u = std::bit_cast<uint32_t>(x);
    bits = (u & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC0 : uint16_t((u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
  }
  explicit operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }
};

enum class DType { f32, bf16, f16, i32, i16, i8, u8 };

inline int64_t size_of(DType type) {
  if (type == DType::bf16 || type == DType::f16 || type == DType::i16) return 2;
  return type == DType::i8 || type == DType::u8 ? 1 : 4;
}
inline std::string_view name_of(DType type) {
  static constexpr std::string_view names[] = {"f32", "bf16", "f16", "i32", "i16", "i8", "u8"};
  return names[int(type)];
}

// Error unless the name is f32 or bf16.
inline DType compute_type_of(std::string_view name) {
  require(name == "f32" || name == "bf16", "[compute] expected f32 or bf16, got '{}'", name);
  return name == "bf16" ? DType::bf16 : DType::f32;
}

template <class T>
inline constexpr DType dtype_of = DType::f32;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::bf16;
template <>
inline constexpr DType dtype_of<Float16> = DType::f16;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<int16_t> = DType::i16;
template <>
inline constexpr DType dtype_of<std::byte> = DType::u8;
template <>
inline constexpr DType dtype_of<int8_t> = DType::i8;

}  // namespace fude
