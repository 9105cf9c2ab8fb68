// Random strings that tease pre-tokenizers: many classes of characters, mixed closely, and broken UTF-8.
//
// PCRE2's tables are older than ours; to compare the two, `agreed` keeps only characters that both put into
// the same classes.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "text/pretokenize.h"
#include "text/unicode.h"

namespace fude::reference {

// One byte per code point: 1 where PCRE2 and our tables agree on every class.
inline const std::vector<char>& agreed() {
  static const std::vector<char> table = [] {
    std::vector<char> same(0x110000, 1);
    std::string text;
    for (uint32_t c = 0; c < 0x110000; ++c)
      if (c < 0xD800 || c > 0xDFFF) append_utf8(text, c);
    const std::pair<const char*, CharClass> classes[] = {
        {R"(\p{Lu})", CharClass::upper},    {R"(\p{Ll})", CharClass::lower},  {R"(\p{Lt})", CharClass::title},
        {R"(\p{Lm})", CharClass::modifier}, {R"(\p{Lo})", CharClass::letter}, {R"(\p{M})", CharClass::mark},
        {R"(\p{N})", CharClass::number},    {R"(\s)", CharClass::space}};
    for (const auto& [pattern, wanted] : classes) {
      // Possessive runs: pieces alternate between characters inside the class and outside.
      std::vector<size_t> ends;
      make_regex_splitter(std::string(pattern) + "++")->split(text, ends);
      size_t begin = 0;
      bool matched = class_of(decode_character(text, 0).code_point) == wanted;
      for (const size_t end : ends) {
        for (size_t i = begin; i < end;) {
          const Character c = decode_character(text, i);
          same[c.code_point] &= (class_of(c.code_point) == wanted) == matched;
          i += c.length;
        }
        matched = !matched;
        begin = end;
      }
    }
    return same;
  }();
  return table;
}

inline std::string random_text(Random& random, size_t characters) {
  static const char* const kMorsels[] = {"'s",
                                         "'S",
                                         "'t",
                                         "'re",
                                         "'VE",
                                         "'ll",
                                         "'lL",
                                         "'m",
                                         "'d",
                                         "'\xC5\xBF",
                                         "\xC5\xBF",
                                         "'",
                                         "''",
                                         "\xE2\x80\x99s",
                                         " ",
                                         "  ",
                                         "   ",
                                         "\t",
                                         "\n",
                                         "\r",
                                         "\r\n",
                                         "\n\n",
                                         "\xC2\xA0",
                                         "\xE3\x80\x80",
                                         "\xC2\x85",
                                         "\xE2\x80\xA8",
                                         "/",
                                         "//",
                                         "!",
                                         "?!",
                                         ".",
                                         ",",
                                         "-",
                                         "_",
                                         "(",
                                         "#",
                                         "0",
                                         "1",
                                         "12",
                                         "123",
                                         "1234",
                                         "\xC2\xBD",
                                         "\xD9\xA3",
                                         "\xE2\x85\xA7",
                                         "\xEF\xBC\x91",
                                         "a",
                                         "b",
                                         "z",
                                         "A",
                                         "B",
                                         "Z",
                                         "Ab",
                                         "aB",
                                         "hello",
                                         "World",
                                         "HELLO",
                                         "\xC3\xA9",
                                         "\xC3\x89",
                                         "\xC7\x85",
                                         "\xCA\xB0",
                                         "\xCC\x81",
                                         "\xE0\xA4\xBF",
                                         "\xE2\x83\x9D",
                                         "\xE6\xBC\xA2",
                                         "\xE5\xAD\x97",
                                         "\xE3\x81\x82",
                                         "\xE3\x82\xA2",
                                         "\xE3\x83\xBC",
                                         "\xED\x95\x9C",
                                         "\xD0\x96",
                                         "\xD0\xB6",
                                         "\xD7\x90",
                                         "\xF0\x9F\x98\x80",
                                         "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9",
                                         "\xEF\xB8\x8F",
                                         "\xE2\x80\x8B",
                                         "\xEF\xBB\xBF",
                                         "\x80",
                                         "\xC3",
                                         "\xE3\x81",
                                         "\xF0\x9F\x98",
                                         "\xED\xA0\x80",
                                         "\xFF",
                                         "\xC0\xAF"};
  constexpr size_t kCount = sizeof kMorsels / sizeof *kMorsels;
  std::string text;
  for (size_t i = 0; i < characters; ++i) {
    if (random.below(4) != 0) {
      text += kMorsels[random.below(kCount)];
      continue;
    }
    const uint32_t limits[] = {0x80, 0x800, 0x3100, 0x10000, 0x20000, 0x110000};
    const uint32_t c = uint32_t(random.below(limits[random.below(6)]));
    if ((c < 0xD800 || c > 0xDFFF) && agreed()[c]) append_utf8(text, c);
  }
  return text;
}

}  // namespace fude::reference
