#include "text/template/text.h"

#include <algorithm>
#include <cstring>

#include "text/unicode.h"

namespace fude::jinja {
namespace {

bool ends_line(uint32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool ends_word(uint32_t c) {
  return is_white(c) || (c < 0x80 && std::string_view("-({[<").find(char(c)) != std::string_view::npos);
}

void append_cased(std::string& out, uint32_t c, bool upper) {
  if (upper && c == 0xDF)
    out += "SS";
  else
    append_utf8(out, upper ? upper_case(c) : lower_case(c));
}

}  // namespace

void Text::append(std::string_view more, bool is_trusted) {
  bytes += more;
  trust.append(more.size(), char(is_trusted));
}

void Text::append(const Text& more) {
  bytes += more.bytes;
  trust += more.trust;
}

void Text::append_part(const Text& other, size_t begin, size_t size) {
  bytes.append(other.bytes, begin, size);
  trust.append(other.trust, begin, size);
}

Text Text::part(size_t begin, size_t size) const {
  Text out;
  out.append_part(*this, begin, size);
  out.is_escaped = is_escaped;
  return out;
}

size_t count_characters(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += decode_character(text, at).length) ++count;
  return count;
}

size_t character_place(std::string_view text, size_t number) {
  size_t at = 0;
  for (; number > 0 && at < text.size(); --number) at += decode_character(text, at).length;
  return at;
}

std::vector<size_t> character_starts(std::string_view text) {
  std::vector<size_t> starts;
  starts.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size(); at += decode_character(text, at).length) starts.push_back(at);
  starts.push_back(text.size());
  return starts;
}

bool is_white(uint32_t c) { return class_of(c) == CharClass::space || (c >= 0x1C && c <= 0x1F); }

Bounds strip_bounds(std::string_view text, const std::string* characters, bool left, bool right) {
  std::vector<std::string_view> taken;
  if (characters != nullptr) {
    const auto starts = character_starts(*characters);
    for (size_t i = 0; i + 1 < starts.size(); ++i)
      taken.push_back(std::string_view(*characters).substr(starts[i], starts[i + 1] - starts[i]));
    std::sort(taken.begin(), taken.end());
  }
  const auto goes = [&](size_t begin, size_t length) {
    if (characters == nullptr) return is_white(decode_character(text, begin).code_point);
    return std::binary_search(taken.begin(), taken.end(), text.substr(begin, length));
  };
  Bounds bounds{0, text.size()};
  while (left && bounds.begin < bounds.end) {
    const size_t length = decode_character(text, bounds.begin).length;
    if (!goes(bounds.begin, length)) break;
    bounds.begin += length;
  }
  while (right && bounds.begin < bounds.end) {
    size_t length = std::min<size_t>(4, bounds.end - bounds.begin);
    while (length > 1 && decode_character(text, bounds.end - length).length != length) --length;
    if (!goes(bounds.end - length, length)) break;
    bounds.end -= length;
  }
  return bounds;
}

size_t find_first(std::string_view text, std::string_view wanted, size_t from) {
  if (from > text.size()) return std::string::npos;
  if (wanted.empty()) return from;
  // std::string::find is quadratic for texts like aaaa…; memmem is not.
  const void* found = memmem(text.data() + from, text.size() - from, wanted.data(), wanted.size());
  return found == nullptr ? std::string::npos : size_t(static_cast<const char*>(found) - text.data());
}

size_t find_last(std::string_view text, std::string_view wanted) {
  if (wanted.size() > text.size()) return std::string::npos;
  const std::string back(text.rbegin(), text.rend()), wanted_back(wanted.rbegin(), wanted.rend());
  const size_t found = find_first(back, wanted_back);
  return found == std::string::npos ? found : text.size() - found - wanted.size();
}

size_t count_parts(std::string_view text, std::string_view part) {
  if (part.empty()) return count_characters(text) + 1;
  size_t count = 0;
  for (size_t at = 0; (at = find_first(text, part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

void for_each_line(const Text& text, bool keep_ends, const std::function<void(Text)>& use) {
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Character c = decode_character(text.bytes, at);
    const size_t end = at;
    at += c.length;
    if (!ends_line(c.code_point)) continue;
    if (c.code_point == '\r' && at < text.size() && text.bytes[at] == '\n') ++at;
    use(text.part(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) use(text.part(begin));
}

Text replace_all(const Text& text, const Text& old, const Text& with, int64_t at_most) {
  Text out;
  size_t at = 0;
  for (int64_t done = 0; at_most < 0 || done < at_most; ++done) {
    const size_t found = find_first(text.bytes, old.bytes, at);
    if (found == std::string::npos) break;
    out.append_part(text, at, found - at);
    out.append(with);
    at = found + old.size();
    if (!old.bytes.empty()) continue;
    // Nothing is found before every character and at the end.
    if (at >= text.size()) break;
    const size_t length = decode_character(text.bytes, at).length;
    out.append_part(text, at, length);
    at += length;
  }
  out.append_part(text, at, std::string::npos);
  return out;
}

Text change_case(const Text& text, Casing casing) {
  std::string out;
  bool in_word = false;
  for (size_t at = 0; at < text.size();) {
    const Character c = decode_character(text.bytes, at);
    if (c.code_point == kInvalid) {
      out += text.bytes[at];
    } else {
      append_cased(out, c.code_point, casing == Casing::upper || (casing != Casing::lower && !in_word));
    }
    if (casing == Casing::title)
      in_word = upper_case(c.code_point) != c.code_point || lower_case(c.code_point) != c.code_point;
    else
      in_word = casing == Casing::capitalize || !ends_word(c.code_point);
    at += c.length;
  }
  return Text(out, text.is_trusted());
}

Text escape_html(const Text& text) {
  Text out;
  for (size_t at = 0; at < text.size(); ++at) switch (text.bytes[at]) {
      case '&':
        out.append("&amp;", text.trust[at]);
        break;
      case '<':
        out.append("&lt;", text.trust[at]);
        break;
      case '>':
        out.append("&gt;", text.trust[at]);
        break;
      case '\'':
        out.append("&#39;", text.trust[at]);
        break;
      case '"':
        out.append("&#34;", text.trust[at]);
        break;
      default:
        out.append_part(text, at, 1);
    }
  out.is_escaped = true;
  return out;
}

}  // namespace fude::jinja
