#include "text/text_stream.h"

#include "text/unicode.h"

namespace fude {

std::string TextStream::add(TokenId token) {
  if (!tokenizer_.has(token)) return {};
  if (special_ == Special::hidden && tokenizer_.is_special(token)) return {};
  held_ += tokenizer_.bytes_of(token);
  const size_t whole = held_.size() - incomplete_suffix(held_);
  std::string text = replace_invalid(std::string_view(held_).substr(0, whole));
  held_.erase(0, whole);
  return text;
}

std::string TextStream::flush() {
  std::string text = replace_invalid(held_);
  held_.clear();
  return text;
}

}  // namespace fude
