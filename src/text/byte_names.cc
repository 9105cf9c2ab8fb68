#include "text/byte_names.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "text/unicode.h"

namespace fude {

const std::array<uint32_t, 256>& byte_code_points() {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> points{};
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
      points[byte] = printable ? byte : next++;
    }
    return points;
  }();
  return table;
}

std::array<uint8_t, 256> bytes_in_name_order() {
  std::array<uint8_t, 256> bytes;
  std::iota(bytes.begin(), bytes.end(), 0);
  const auto& points = byte_code_points();
  std::sort(bytes.begin(), bytes.end(), [&](uint8_t a, uint8_t b) { return points[a] < points[b]; });
  return bytes;
}

std::string name_of_bytes(std::string_view bytes) {
  std::string name;
  for (const char c : bytes) append_utf8(name, byte_code_points()[uint8_t(c)]);
  return name;
}

std::optional<std::string> bytes_of_name(std::string_view name) {
  static const std::array<int, 512> byte_of = [] {
    std::array<int, 512> bytes;
    bytes.fill(-1);
    for (int byte = 0; byte < 256; ++byte) bytes[byte_code_points()[size_t(byte)]] = byte;
    return bytes;
  }();
  std::string bytes;
  for (size_t i = 0; i < name.size();) {
    const Character c = decode_character(name, i);
    if (c.code_point >= byte_of.size() || byte_of[c.code_point] < 0) return std::nullopt;
    bytes += char(byte_of[c.code_point]);
    i += c.length;
  }
  return bytes;
}

std::string piece_of_byte(uint8_t byte) { return fmt::format("<0x{:02X}>", byte); }

std::optional<uint8_t> byte_of_piece(std::string_view piece) {
  uint8_t byte = 0;
  if (piece.size() != 6 || !piece.starts_with("<0x")) return std::nullopt;
  std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  return piece == piece_of_byte(byte) ? std::optional(byte) : std::nullopt;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (size_t at = 0;;) {
    const size_t found = text.find(from, at);
    out += text.substr(at, found - at);
    if (found == text.npos) return out;
    out += to;
    at = found + from.size();
  }
}

}  // namespace fude
