// F32, F16 and BF16: a block is one number, little-endian.
#include <array>

#include "tensor/dtype.h"
#include "tensor/formats/families.h"

namespace fude {
namespace {

template <class T>
void decode_plain(const std::byte* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, from + i * int64_t(sizeof(T)), sizeof(T));
    to[i] = float(value);
  }
}

template <class T>
void encode_plain(const float* from, int64_t count, std::byte* to) {
  for (int64_t i = 0; i < count; ++i) {
    const T value(from[i]);
    std::memcpy(to + i * int64_t(sizeof(T)), &value, sizeof(T));
  }
}

}  // namespace

std::span<const WeightFormat> plain_formats() {
  static constexpr std::array<WeightFormat, 3> formats = {{
      {WeightType::f32, "F32", 0, 1, 4, decode_plain<float>, encode_plain<float>},
      {WeightType::f16, "F16", 1, 1, 2, decode_plain<Float16>, encode_plain<Float16>},
      {WeightType::bf16, "BF16", 30, 1, 2, decode_plain<BFloat16>, encode_plain<BFloat16>},
  }};
  return formats;
}

}  // namespace fude
