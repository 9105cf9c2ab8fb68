// SentencePiece's table of what characters are written as instead ("precompiled_charsmap"): "nmt_nfkc" and its like.
//
// The bytes are a length (u32), a trie as a double array (Aoe 1989, packed as darts-clone does it) of that many
// bytes, and replacement texts, each ended by a zero, that the trie's values point into. Every index is checked as it
// is used; a reader of files asks for all of them at once with `check`.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace fude {

class Charsmap {
 public:
  // Error if the lengths do not fit. The bytes must outlive the map.
  explicit Charsmap(std::string_view bytes);
  // Error, with the name of the file, for these and if any entry points out of the table. Looks at each unit once.
  static void check(std::string_view bytes, std::string_view where);
  // At every place the longest known text is replaced; other characters stay. Hands `use` what stands for
  // text[begin, end), stretch by stretch. Error if the table points out of itself.
  using Use = std::function<void(size_t begin, size_t end, std::string_view made)>;
  void apply(std::string_view text, const Use& use) const;

 private:
  struct Match {
    size_t length = 0;  // 0: none
    size_t replacement = 0;
  };
  Match longest_at(std::string_view text, size_t at) const;
  uint32_t unit(size_t index) const;
  size_t replacement_at(size_t index) const;
  void check_entries() const;

  std::string_view trie_, replacements_;
};

}  // namespace fude
