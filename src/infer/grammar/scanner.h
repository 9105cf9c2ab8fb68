// A place in a source text that moves on: what the parsers of the notations for grammars share.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/unicode.h"

namespace fude::grammar {

class Scanner {
 protected:
  // Valid UTF-8 that outlives the scanner.
  explicit Scanner(std::string_view text) : text_(text) {}

  bool is_at_end() const { return at_ >= text_.size(); }
  bool is(char c) const { return !is_at_end() && text_[at_] == c; }
  bool take(std::string_view text) {
    if (!text_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  // Not at the end.
  uint32_t take_code_point() {
    const Character c = decode_character(text_, at_);
    at_ += c.length;
    return c.code_point;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace fude::grammar
