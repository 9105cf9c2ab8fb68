#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"

namespace fude {
namespace {

#include "text/unicode_tables.inc"

// What the sequence that starts with `lead` needs: its length and the bounds of its second byte (Unicode table 3-7).
struct Lead {
  uint32_t length;
  uint8_t low, high;
};
Lead lead_of(uint8_t lead) {
  if (lead < 0x80) return {1, 0x80, 0xBF};
  if (lead >= 0xC2 && lead <= 0xDF) return {2, 0x80, 0xBF};
  if (lead >= 0xE0 && lead <= 0xEF)
    return {3, uint8_t(lead == 0xE0 ? 0xA0 : 0x80), uint8_t(lead == 0xED ? 0x9F : 0xBF)};
  if (lead >= 0xF0 && lead <= 0xF4)
    return {4, uint8_t(lead == 0xF0 ? 0x90 : 0x80), uint8_t(lead == 0xF4 ? 0x8F : 0xBF)};
  return {0, 0, 0};
}

// Bytes of text[at…] that form a prefix of some well-formed sequence, and that sequence's length (0: none
// starts here).
struct Part {
  uint32_t have, need;
};
Part part_at(std::string_view text, size_t at) {
  const Lead lead = lead_of(uint8_t(text[at]));
  if (lead.length == 0) return {1, 0};
  uint32_t have = 1;
  for (; have < lead.length && at + have < text.size(); ++have) {
    const uint8_t byte = uint8_t(text[at + have]);
    if (byte < (have == 1 ? lead.low : 0x80) || byte > (have == 1 ? lead.high : 0xBF)) break;
  }
  return {have, lead.length};
}

// NFC of well-formed text: decompose, order the marks behind each character by their class, compose.
// utf8proc_map would order them by swapping neighbours, which is quadratic in a long run of marks.
void append_nfc(std::string& out, std::string_view text) {
  constexpr auto kOptions = utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  constexpr utf8proc_ssize_t kLongest = 18;  // more than any character decomposes to
  std::vector<utf8proc_int32_t> points;
  points.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size();) {
    const Character c = decode_character(text, at);
    utf8proc_int32_t parts[kLongest];
    const auto count = utf8proc_decompose_char(utf8proc_int32_t(c.code_point), parts, kLongest, kOptions, nullptr);
    require(count >= 0 && count <= kLongest, "[normalize_nfc] utf8proc cannot decompose U+{:04X}", c.code_point);
    points.insert(points.end(), parts, parts + count);
    at += c.length;
  }
  const auto mark_class = [](utf8proc_int32_t point) { return utf8proc_get_property(point)->combining_class; };
  const auto is_mark = [&](utf8proc_int32_t point) { return mark_class(point) != 0; };
  for (auto mark = points.begin(); (mark = std::find_if(mark, points.end(), is_mark)) != points.end();) {
    const auto end = std::find_if_not(mark, points.end(), is_mark);
    std::stable_sort(mark, end, [&](auto a, auto b) { return mark_class(a) < mark_class(b); });
    mark = end;
  }
  const auto length = utf8proc_ssize_t(points.size());
  points.push_back(0);  // room for the zero that ends the bytes, which are written over the code points
  const utf8proc_ssize_t size = utf8proc_reencode(points.data(), length, kOptions);
  require(size >= 0, "[normalize_nfc] utf8proc failed: {}", utf8proc_errmsg(size));
  out.append(reinterpret_cast<const char*>(points.data()), size_t(size));
}

}  // namespace

Character decode_character(std::string_view text, size_t at) {
  const uint8_t first = uint8_t(text[at]);
  if (first < 0x80) return {first, 1};
  const Part part = part_at(text, at);
  if (part.have != part.need) return {kInvalid, 1};
  uint32_t code_point = first & (0x7F >> part.need);
  for (uint32_t i = 1; i < part.need; ++i) code_point = code_point << 6 | (uint8_t(text[at + i]) & 0x3F);
  return {code_point, part.need};
}

size_t begin_of_last(std::string_view text) {
  for (size_t back = std::min<size_t>(4, text.size()); back > 1; --back)
    if (decode_character(text, text.size() - back).length == back) return text.size() - back;
  return text.size() - 1;
}

CharClass class_of(uint32_t code_point) {
  if (code_point >= 0x110000) return CharClass::other;
  return CharClass(kClassDigits[size_t(kClassBlocks[code_point >> 8]) << 8 | (code_point & 0xFF)] - '0');
}

void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += char(c);
  } else if (c < 0x800) {
    out += {char(0xC0 | c >> 6), char(0x80 | (c & 0x3F))};
  } else if (c < 0x10000) {
    out += {char(0xE0 | c >> 12), char(0x80 | (c >> 6 & 0x3F)), char(0x80 | (c & 0x3F))};
  } else {
    out += {char(0xF0 | c >> 18), char(0x80 | (c >> 12 & 0x3F)), char(0x80 | (c >> 6 & 0x3F)), char(0x80 | (c & 0x3F))};
  }
}

uint32_t upper_case(uint32_t c) { return c >= 0x110000 ? c : uint32_t(utf8proc_toupper(utf8proc_int32_t(c))); }
uint32_t lower_case(uint32_t c) { return c >= 0x110000 ? c : uint32_t(utf8proc_tolower(utf8proc_int32_t(c))); }

bool is_printable(uint32_t c) {
  if (c == ' ') return true;
  const auto category = c >= 0x110000 ? UTF8PROC_CATEGORY_CN : utf8proc_category(utf8proc_int32_t(c));
  return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}

size_t valid_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (uint8_t(text[at]) < 0x80) {  // most of most texts: eight bytes at a time
      uint64_t word;
      while (at + 8 <= text.size() && (std::memcpy(&word, text.data() + at, 8), (word & 0x8080808080808080u) == 0))
        at += 8;
      while (at < text.size() && uint8_t(text[at]) < 0x80) ++at;
      continue;
    }
    const Part part = part_at(text, at);
    if (part.have != part.need) return at;
    at += part.have;
  }
  return at;
}

size_t incomplete_suffix(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const size_t at = text.size() - back;
    if ((uint8_t(text[at]) & 0xC0) == 0x80) continue;
    const Part part = part_at(text, at);
    return part.have == back && part.need > back ? back : 0;
  }
  return 0;
}

std::string replace_invalid(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Part part = part_at(text, at);
    out += part.have == part.need ? text.substr(at, part.have) : std::string_view("\xEF\xBF\xBD");
    at += part.have;
  }
  return out;
}

std::string normalize_nfc(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t valid = valid_prefix(text);
    // Nothing below U+0300 (lead byte 0xCC) changes under NFC.
    bool plain = true;
    for (size_t i = 0; i < valid; ++i) plain &= uint8_t(text[i]) < 0xCC;
    if (plain) {
      out += text.substr(0, valid);
    } else {
      append_nfc(out, text.substr(0, valid));
    }
    text.remove_prefix(valid);
    while (!text.empty() && decode_character(text, 0).code_point == kInvalid) {
      out += text[0];
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace fude
