#include "text/charsmap.h"

#include <cstring>

#include "base/error.h"
#include "text/unicode.h"

namespace fude {
namespace {

constexpr size_t kLongestKey = 256;  // bytes; real tables have some tens

uint32_t number_at(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t(uint8_t(bytes[at + i])) << (8 * i);
  return value;
}

// A unit of the double array: a byte, whether a value follows, and how far away its children are.
uint32_t label_of(uint32_t unit) { return unit & 0x800000FF; }
bool has_value(uint32_t unit) { return unit >> 8 & 1; }
uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & 1 << 9) >> 6); }

}  // namespace

Charsmap::Charsmap(std::string_view bytes) {
  const size_t size = bytes.size() >= 4 ? number_at(bytes, 0) : 0;
  require(size >= 4 && size % 4 == 0 && size <= bytes.size() - 4,
          "[charsmap] expected a trie of 4 to {} bytes, in units of four, got {}", bytes.size(), size);
  trie_ = bytes.substr(4, size);
  replacements_ = bytes.substr(4 + size);
  require(replacements_.ends_with('\0'), "[charsmap] expected replacements that end with a zero");
}

uint32_t Charsmap::unit(size_t index) const {
  require(index < trie_.size() / 4, "[charsmap] the trie points to unit {} of {}", index, trie_.size() / 4);
  return number_at(trie_, 4 * index);
}

size_t Charsmap::replacement_at(size_t index) const {
  const size_t begin = unit(index) & 0x7FFFFFFF;
  require(begin < replacements_.size(), "[charsmap] a replacement begins at {} of {}", begin, replacements_.size());
  return begin;
}

// A unit that is no node has no value: the builder of such tries writes so.
void Charsmap::check_entries() const {
  for (size_t index = 0; index < trie_.size() / 4; ++index) {
    const uint32_t here = unit(index), label = label_of(here);
    if (label > 0 && label < 256 && has_value(here)) replacement_at(index ^ offset_of(here));
  }
}

void Charsmap::check(std::string_view bytes, std::string_view where) {
  try {
    Charsmap(bytes).check_entries();
  } catch (const Error& error) { fail("[{}] {}", where, error.what()); }
}

Charsmap::Match Charsmap::longest_at(std::string_view text, size_t at) const {
  Match longest;
  size_t node = offset_of(unit(0));
  const size_t last = std::min(text.size(), at + kLongestKey);  // a damaged trie may go in circles
  for (size_t end = at; end < last;) {
    const uint8_t byte = uint8_t(text[end++]);
    node ^= byte;
    if (byte == 0 || node >= trie_.size() / 4) break;
    const uint32_t here = unit(node);
    if (label_of(here) != byte) break;
    node ^= offset_of(here);
    if (has_value(here)) longest = {end - at, replacement_at(node)};
  }
  return longest;
}

void Charsmap::apply(std::string_view text, const Use& use) const {
  for (size_t at = 0; at < text.size();) {
    const Match match = longest_at(text, at);
    const size_t end = at + (match.length > 0 ? match.length : decode_character(text, at).length);
    if (match.length > 0) {
      use(at, end, replacements_.data() + match.replacement);  // up to its zero
    } else {
      use(at, end, text.substr(at, end - at));
    }
    at = end;
  }
}

}  // namespace fude
