// Characters of possibly broken UTF-8, and the classes that pre-tokenizer patterns know.
//
// Text comes from strangers, so decoding never fails: a byte that is not part of a well-formed sequence is a
// character of its own, of class `other` and length 1. That is how U+FFFD would be treated, and the byte
// itself is kept, so that tokens always decode to the exact input. The class table is made from tiktoken's
// regular expressions by tools/make_unicode_tables.py (Unicode 16 with tiktoken 0.14); PCRE2 10.42 knows
// Unicode 14, so characters assigned since then fall into other classes there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fude {

// \p{Lu} \p{Ll} \p{Lt} \p{Lm} \p{Lo} \p{M} \p{N} \s; everything else is `other`.
enum class CharClass : uint8_t { other, upper, lower, title, modifier, letter, mark, number, space };

// A set of classes as bits.
using CharClasses = uint32_t;
constexpr CharClasses bit(CharClass c) { return CharClasses(1) << int(c); }
constexpr CharClasses kLetters = bit(CharClass::upper) | bit(CharClass::lower) | bit(CharClass::title) |
                                 bit(CharClass::modifier) | bit(CharClass::letter);
constexpr CharClasses kMarks = bit(CharClass::mark);
constexpr CharClasses kNumbers = bit(CharClass::number);
constexpr CharClasses kSpaces = bit(CharClass::space);

constexpr uint32_t kInvalid = 0xFFFFFFFF;

struct Character {
  uint32_t code_point;  // kInvalid for a byte outside well-formed UTF-8
  uint32_t length;      // in bytes
};

// The character that starts at text[at]; at < text.size().
Character decode_character(std::string_view text, size_t at);
// Where the last character begins; text is not empty.
size_t begin_of_last(std::string_view text);
// Class of a code point; kInvalid is `other`.
CharClass class_of(uint32_t code_point);
void append_utf8(std::string& out, uint32_t code_point);
// Simple case mappings, one code point to one; what has none, and kInvalid, stays. By utf8proc's tables (Unicode 15).
uint32_t upper_case(uint32_t code_point);
uint32_t lower_case(uint32_t code_point);
// Whether Python's repr() shows it as it is: no control, format, private or unassigned character, and no separator but
// the blank.
bool is_printable(uint32_t code_point);

// Length of the longest well-formed prefix of `text`.
size_t valid_prefix(std::string_view text);
inline bool is_valid_utf8(std::string_view text) { return valid_prefix(text) == text.size(); }
// How many bytes at the end of `text` are the beginning of a character that is not complete yet: 0 to 3.
size_t incomplete_suffix(std::string_view text);
// Well-formed text: each maximal ill-formed part becomes one U+FFFD, as WHATWG and Python's errors="replace" do it.
std::string replace_invalid(std::string_view text);

// Unicode normalisation form C of the well-formed parts; other bytes stay as they are. By utf8proc's tables
// (Unicode 15); Hugging Face's are older and leave the order of a few newer combining marks alone.
std::string normalize_nfc(std::string_view text);

}  // namespace fude
