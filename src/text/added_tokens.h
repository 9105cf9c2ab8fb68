// Finds added tokens in text: at the leftmost place the longest one, as Hugging Face does it.
//
// The contents are sorted; at each byte that begins one of them, binary search narrows the range of contents
// that agree with the text byte by byte. Cost per place is the length of the match times a logarithm, however
// many tokens there are.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "text/tokenizer_file.h"

namespace fude {

class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  // The tokens must outlive the finder.
  explicit AddedTokenFinder(std::vector<const AddedToken*> tokens);

  // A match: text[begin, end) becomes `token`. token is null if nothing was found.
  struct Match {
    size_t begin = 0, end = 0;
    const AddedToken* token = nullptr;
  };
  // The first match at or behind `from`; white space before `from` belongs to the match before it. A special token
  // matches only where `trust`, a byte for each of the text's, is 1 all along it; an empty `trust` trusts everything.
  Match find(std::string_view text, size_t from, std::string_view trust = {}) const;

 private:
  const AddedToken* longest_at(std::string_view text, size_t at, std::string_view trust) const;

  std::vector<const AddedToken*> sorted_;
  std::array<bool, 256> begins_{};
};

}  // namespace fude
