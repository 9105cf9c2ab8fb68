// What happens to a text before it is cut: a short list of steps, as tokenizer files describe them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fude {

struct NormalStep {
  enum class Kind {
    nfc,
    charsmap,    // `from` is a table of charsmap.h
    replace,     // every `from` becomes `to`
    squeeze,     // two and more blanks become `to`
    trim,        // no blanks at either end
    strip_left,  // no white space at that end
    strip_right,
    prepend,  // `to` is put in front of a text that is not empty
  };
  Kind kind;
  std::string from = {}, to = {};
  bool operator==(const NormalStep&) const = default;
};

// Error if a step makes the text more than 64 times as long: files from strangers decide what steps do.
// `trust` is empty, or has a byte for each of the text's (AddedTokenFinder::find), and becomes that of the result: what
// is made of bytes of both kinds is not trusted.
std::string normalize(const std::vector<NormalStep>& steps, std::string_view text, std::string* trust = nullptr);
// Every blank becomes ▁.
NormalStep mark_blanks();

}  // namespace fude
