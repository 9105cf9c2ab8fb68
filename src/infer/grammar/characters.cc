#include "infer/grammar/characters.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/unicode.h"

namespace fude::grammar {
namespace {

constexpr uint32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;

// One sequence of byte ranges for code points of one length that share all but a tail of full ranges; splits else.
void append_utf8_ranges(uint32_t low, uint32_t high, std::vector<ExpressionPtr>& out) {
  for (const uint32_t last : {0x7Fu, 0x7FFu, 0xFFFFu})
    if (low <= last && high > last) {
      append_utf8_ranges(low, last, out);
      return append_utf8_ranges(last + 1, high, out);
    }
  if (high > 0x7F)
    for (int bits = 6; bits <= 18; bits += 6) {
      const uint32_t mask = (1u << bits) - 1;
      if ((low & ~mask) == (high & ~mask)) break;
      if ((low & mask) != 0) {
        append_utf8_ranges(low, low | mask, out);
        return append_utf8_ranges((low | mask) + 1, high, out);
      }
      if ((high & mask) != mask) {
        append_utf8_ranges(low, (high & ~mask) - 1, out);
        return append_utf8_ranges(high & ~mask, high, out);
      }
    }
  std::string first, last;
  append_utf8(first, low);
  append_utf8(last, high);
  std::vector<ExpressionPtr> bytes;
  for (size_t i = 0; i < first.size(); ++i) bytes.push_back(byte_range(uint8_t(first[i]), uint8_t(last[i])));
  out.push_back(sequence(std::move(bytes)));
}

std::string json_escape(uint32_t code_point) {
  static constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
  const size_t at = kSpecial.find(char(code_point));
  return at == std::string_view::npos ? fmt::format("\\u{:04x}", code_point) : std::string{'\\', kNames[at]};
}

bool needs_escape(uint32_t code_point) { return code_point < 0x20 || code_point == '"' || code_point == '\\'; }

int64_t bytes_of(const Expression& expression) {
  int64_t bytes = expression.kind == Expression::Kind::bytes;
  for (const ExpressionPtr& part : expression.parts) bytes += bytes_of(*part);
  return bytes;
}

}  // namespace

CharacterSet::CharacterSet(std::vector<CodePoints> ranges) : ranges_(std::move(ranges)) { normalise(); }

void CharacterSet::add(const CharacterSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  normalise();
}

void CharacterSet::normalise() {
  std::sort(ranges_.begin(), ranges_.end(), [](auto a, auto b) { return a.low < b.low; });
  std::vector<CodePoints> merged;
  const auto append = [&](uint32_t low, uint32_t high) {
    if (low > high) return;
    if (!merged.empty() && low <= merged.back().high + 1)
      merged.back().high = std::max(merged.back().high, high);
    else
      merged.push_back({low, high});
  };
  for (const auto [low, high] : ranges_) {
    append(low, std::min(high, kFirstSurrogate - 1));
    append(std::max(low, kLastSurrogate + 1), std::min(high, kLastCodePoint));
  }
  ranges_ = std::move(merged);
}

CharacterSet CharacterSet::inverse() const {
  std::vector<CodePoints> gaps;
  uint32_t next = 0;
  for (const auto [low, high] : ranges_) {
    if (low > next) gaps.push_back({next, low - 1});
    next = high + 1;
  }
  if (next <= kLastCodePoint) gaps.push_back({next, kLastCodePoint});
  return CharacterSet(std::move(gaps));
}

ExpressionPtr one_of(const CharacterSet& characters, Encoding encoding) {
  std::vector<ExpressionPtr> parts;
  for (const auto [low, high] : characters.ranges()) {
    uint32_t from = low;
    for (uint32_t c = low; encoding == Encoding::json_string && c <= std::min<uint32_t>(high, '\\'); ++c)
      if (needs_escape(c)) {
        if (from < c) append_utf8_ranges(from, c - 1, parts);
        parts.push_back(literal(json_escape(c)));
        from = c + 1;
      }
    if (from <= high) append_utf8_ranges(from, high, parts);
  }
  return choice(std::move(parts));
}

ExpressionPtr CharacterExpressions::one_of(const CharacterSet& characters) {
  ExpressionPtr& known = known_[characters.ranges()];
  if (!known) {
    known = grammar::one_of(characters, encoding_);
    bytes_ += bytes_of(*known);
    require(bytes_ <= limits_.automaton_states, "[grammar] expected sets of characters of at most {} states together",
            limits_.automaton_states);
  }
  return known;
}

std::string json_content(std::string_view text) {
  std::string out;
  for (const char byte : text)
    if (needs_escape(uint8_t(byte)))
      out += json_escape(uint8_t(byte));
    else
      out += byte;
  return out;
}

}  // namespace fude::grammar
