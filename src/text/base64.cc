#include "text/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/error.h"

namespace fude {
namespace {

constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string from_base64(std::string_view text, std::string_view where) {
  static const std::array<int, 256> value_of = [] {
    std::array<int, 256> values;
    values.fill(-1);
    for (size_t i = 0; i < kBase64Digits.size(); ++i) values[uint8_t(kBase64Digits[i])] = int(i);
    return values;
  }();
  require(text.size() % 4 == 0 && !text.empty(), "[{}] expected base64 in groups of four", where);
  for (size_t padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  std::string bytes;
  uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const int value = value_of[uint8_t(c)];
    require(value >= 0, "[{}] not a base64 digit: byte {}", where, int(uint8_t(c)));
    bits = (bits << 6 | uint32_t(value)) & 0xFFFFFF;
    have += 6;
    if (have < 8) continue;
    have -= 8;
    bytes += char(bits >> have);
  }
  return bytes;
}

void append_base64(std::string& out, std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < have ? uint8_t(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= have ? kBase64Digits[bits >> (18 - 6 * k) & 63] : '=';
  }
}

}  // namespace fude
