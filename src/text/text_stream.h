// Tokens to text as they arrive: whole characters only.
//
// A token may end inside a character; its bytes wait for the rest. Everything given out, in order, is the bytes of the
// tokens with each ill-formed part replaced by U+FFFD, the same as replacing at the end in one go. The blank that some
// tokenizers put before a text, and `Tokenizer::decode` drops, stays.
#pragma once

#include <string>

#include "text/tokenizer.h"

namespace fude {

class TextStream {
 public:
  enum class Special { hidden, shown };
  explicit TextStream(Tokenizer tokenizer, Special special = Special::hidden)
      : tokenizer_(std::move(tokenizer)), special_(special) {}

  // The text that is complete now; may be empty.
  std::string add(TokenId token);
  // What was held back, as U+FFFD; the stream is then empty and can be used again.
  std::string flush();

 private:
  Tokenizer tokenizer_;
  Special special_;
  std::string held_;
};

}  // namespace fude
