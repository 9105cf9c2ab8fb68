// A template's source as tokens, with the white space that its tags take along already gone.
//
// The rules are those of Jinja with trim_blocks and lstrip_blocks, which transformers sets: a block tag takes the
// newline behind it and the blanks of its line before it; `-` takes all white space on that side, `+` nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fude::jinja {

struct Token {
  enum class Kind { text, print_begin, print_end, block_begin, block_end, name, string, integer, real, sign, end };
  Kind kind;
  std::string value;
  int line;
};

// Ends with a token of Kind::end. Error for what is no token.
std::vector<Token> tokenize(std::string_view source);

}  // namespace fude::jinja
