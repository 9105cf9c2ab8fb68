// Sets of characters, and how their members are written in bytes: as UTF-8, or as the content of a JSON string.
//
// A range of code points is a short choice of sequences of byte ranges, since UTF-8 keeps the order of code points
// (the method of Russ Cox's RE2 and of the utf8-ranges crate). Surrogates are in no set: they have no UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "infer/grammar/expression.h"

namespace fude::grammar {

constexpr uint32_t kLastCodePoint = 0x10FFFF;

struct CodePoints {
  uint32_t low, high;  // both inside
};

// Kept sorted, without overlaps and surrogates.
class CharacterSet {
 public:
  CharacterSet() = default;
  CharacterSet(std::initializer_list<CodePoints> ranges) : CharacterSet(std::vector<CodePoints>(ranges)) {}
  explicit CharacterSet(std::vector<CodePoints> ranges);
  const std::vector<CodePoints>& ranges() const { return ranges_; }
  void add(const CharacterSet& other);
  CharacterSet inverse() const;
  bool is_empty() const { return ranges_.empty(); }

 private:
  void normalise();
  std::vector<CodePoints> ranges_;
};

enum class Encoding {
  plain,        // UTF-8
  json_string,  // the same with ", \ and control characters as their shortest JSON escapes
};

ExpressionPtr one_of(const CharacterSet& characters, Encoding encoding);
// Well-formed UTF-8 as the content of a JSON string, without the quotes around it.
std::string json_content(std::string_view text);

}  // namespace fude::grammar
