#include "tensor/format.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/formats/families.h"

namespace fude {

std::span<const WeightFormat> weight_formats() {
  static const std::vector<WeightFormat> all = [] {
    std::vector<WeightFormat> formats;
    for (const auto family : {plain_formats(), block_formats(), superblock_formats()})
      formats.insert(formats.end(), family.begin(), family.end());
    return formats;
  }();
  return all;
}

const WeightFormat& weight_format(WeightType type) {
  return *std::ranges::find(weight_formats(), type, &WeightFormat::type);
}

const WeightFormat& weight_format(std::string_view name) {
  std::string known;
  for (const WeightFormat& format : weight_formats()) {
    if (format.name == name) return format;
    known += known.empty() ? "" : ", ";
    known += format.name;
  }
  fail("[format] expected one of {}, got '{}'", known, name);
}

const WeightFormat* find_weight_format(uint32_t gguf_id) {
  const auto formats = weight_formats();
  const auto found = std::ranges::find(formats, gguf_id, &WeightFormat::gguf_id);
  return found == formats.end() ? nullptr : &*found;
}

void check_weights(const WeightFormat& format, std::span<const float> values, std::string_view place) {
  if (format.type == WeightType::f32 || format.type == WeightType::bf16) return;
  for (const float value : values)
    require(std::fabs(value) <= 65504.0f, "[format] {}: {} holds values up to 65504, got {}", place, format.name,
            value);
}

void encode_weights(const WeightFormat& format, std::span<const float> values, std::byte* to, std::string_view place) {
  const int64_t blocks = int64_t(values.size()) / format.block;
  require(blocks * format.block == int64_t(values.size()), "[format] {}: {} takes blocks of {} values, got {}", place,
          format.name, format.block, values.size());
  check_weights(format, values, place);
  format.encode(values.data(), blocks, to);
}

}  // namespace fude
