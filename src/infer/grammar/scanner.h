// A place in a source text that moves on: what the parsers of the notations for grammars share.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "text/unicode.h"

namespace fude::grammar {

class Scanner {
 protected:
  // Valid UTF-8 that outlives the scanner.
  explicit Scanner(std::string_view text) : text_(text) {}
  ~Scanner() = default;

  // What an error says of the place where it stands.
  virtual std::string message_of(const std::string& what) const = 0;
  template <class... Args>
  [[noreturn]] void fail_here(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}", message_of(fmt::format(format, std::forward<Args>(args)...)));
  }

  bool is_at_end() const { return at_ >= text_.size(); }
  bool is(char c) const { return !is_at_end() && text_[at_] == c; }
  bool take(std::string_view text) {
    if (!text_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  uint32_t take_character() {
    if (is_at_end()) fail_here("unexpected end");
    const Character c = decode_character(text_, at_);
    at_ += c.length;
    return c.code_point;
  }
  uint32_t take_hexadecimal(int digits) {
    uint32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const uint32_t c = take_character(), low = c | 32;
      const bool is_letter = low >= 'a' && low <= 'f';
      if (!is_letter && (c < '0' || c > '9')) fail_here("expected a hexadecimal digit");
      value = value * 16 + (is_letter ? low - 'a' + 10 : c - '0');
    }
    return value;
  }
  // How often something is repeated; false if no digit stands there.
  bool take_count(int32_t& value, int32_t most) {
    const size_t begin = at_;
    for (value = 0; !is_at_end() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      value = value * 10 + (text_[at_] - '0');
      if (value > most) fail_here("a repetition of more than {}", most);
    }
    return at_ > begin;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace fude::grammar
