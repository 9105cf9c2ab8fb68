#include "text/normalize.h"

#include "base/error.h"
#include "text/byte_names.h"
#include "text/charsmap.h"
#include "text/unicode.h"

namespace fude {
namespace {

std::string squeeze_blanks(std::string_view text, std::string_view to) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t stop = std::min(text.find_first_not_of(' ', at), text.size());
    out += stop - at > 1 ? to : text.substr(at, stop - at);
    at = std::min(text.find(' ', stop), text.size());
    out += text.substr(stop, at - stop);
  }
  return out;
}

bool is_white_space(std::string_view text, size_t at) {
  return class_of(decode_character(text, at).code_point) == CharClass::space;
}

std::string apply(const NormalStep& step, std::string text) {
  switch (step.kind) {
    case NormalStep::Kind::nfc:
      return normalize_nfc(text);
    case NormalStep::Kind::charsmap:
      return Charsmap(step.from).apply(text);
    case NormalStep::Kind::replace:
      return replace_all(text, step.from, step.to);
    case NormalStep::Kind::squeeze:
      return squeeze_blanks(text, step.to);
    case NormalStep::Kind::trim:
      while (text.ends_with(' ') || text.ends_with(kBlankMark))
        text.resize(text.size() - (text.ends_with(' ') ? 1 : kBlankMark.size()));
      return text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
    case NormalStep::Kind::strip_left: {
      size_t begin = 0;
      while (begin < text.size() && is_white_space(text, begin)) begin += decode_character(text, begin).length;
      return text.substr(begin);
    }
    case NormalStep::Kind::strip_right:
      while (!text.empty()) {
        const size_t last = begin_of_last(text);
        if (!is_white_space(text, last)) break;
        text.erase(last);
      }
      return text;
    case NormalStep::Kind::prepend:
      return text.empty() ? text : step.to + text;
  }
  return text;
}

}  // namespace

NormalStep mark_blanks() { return {NormalStep::Kind::replace, " ", std::string(kBlankMark)}; }

std::string normalize(const std::vector<NormalStep>& steps, std::string_view text) {
  std::string out(text);
  for (const NormalStep& step : steps) {
    out = apply(step, std::move(out));
    require(out.size() <= 64 * text.size() + 1024, "[normalize] the tokenizer makes a text more than 64 times as long");
  }
  return out;
}

}  // namespace fude
