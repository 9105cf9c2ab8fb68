// Sets of characters, and how their members are written in bytes: as UTF-8, or as the content of a JSON string.
//
// A range of code points is a short choice of sequences of byte ranges, since UTF-8 keeps the order of code points
// (the method of Russ Cox's RE2 and of the utf8-ranges crate). Surrogates are in no set: they have no UTF-8.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "infer/grammar/expression.h"
#include "infer/grammar/limits.h"

namespace fude::grammar {

constexpr uint32_t kLastCodePoint = 0x10FFFF;

struct CodePoints {
  uint32_t low, high;  // both inside
  auto operator<=>(const CodePoints&) const = default;
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

// The sets of one source: the same expression for the same set, and in all of them together no more bytes than an
// automaton may have states, since a pattern of a character is worth up to some hundred kilobytes ([\p{L}]).
class CharacterExpressions {
 public:
  // `limits` is borrowed.
  CharacterExpressions(Encoding encoding, const GrammarLimits& limits) : encoding_(encoding), limits_(limits) {}
  ExpressionPtr one_of(const CharacterSet& characters);

 private:
  Encoding encoding_;
  const GrammarLimits& limits_;
  std::map<std::vector<CodePoints>, ExpressionPtr> known_;
  int64_t bytes_ = 0;
};

// Well-formed UTF-8 as the content of a JSON string, without the quotes around it.
std::string json_content(std::string_view text);

}  // namespace fude::grammar
