// A string of a template, byte by byte with where it comes from.
//
// What the template's author wrote is trusted, what came with the conversation is not. Each byte has its mark beside
// it, so that joining, cutting and replacing carry the marks along for free, and the tokenizer can keep special tokens
// out of what users wrote.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fude::jinja {

struct Text {
  std::string bytes;
  std::string trust;        // as long as `bytes`: 1 for a trusted byte, 0 for any other
  bool is_escaped = false;  // by the filters safe and escape: `+` then escapes what is added

  Text() = default;
  Text(std::string_view given, bool is_trusted) : bytes(given), trust(given.size(), char(is_trusted)) {}

  size_t size() const { return bytes.size(); }
  bool is_trusted() const { return trust.find('\0') == std::string::npos; }
  void append(std::string_view more, bool is_trusted);
  void append(const Text& more);
  void append_part(const Text& other, size_t begin, size_t size);
  Text part(size_t begin, size_t size = std::string::npos) const;
};

size_t count_characters(std::string_view text);
// Where a character begins; the end of the text if there are not so many.
size_t character_place(std::string_view text, size_t number);
// All of them, and the end of the text: eight bytes for each byte of the text.
std::vector<size_t> character_starts(std::string_view text);
// Python's white space: Unicode's, and the separators U+001C to U+001F.
bool is_white(uint32_t code_point);
// What strip() leaves: [begin, end). `characters`: what to take away, white space if null.
struct Bounds {
  size_t begin, end;
};
Bounds strip_bounds(std::string_view text, const std::string* characters, bool left, bool right);
// In linear time whatever the two are; npos if there is none. `found_last` is the last place instead of the first.
size_t find_first(std::string_view text, std::string_view wanted, size_t from = 0);
size_t find_last(std::string_view text, std::string_view wanted);
// How often it stands there without overlap; nothing stands before each character and at the end.
size_t count_parts(std::string_view text, std::string_view part);
// The lines as str.splitlines() gives them.
void for_each_line(const Text& text, bool keep_ends, const std::function<void(Text)>& use);
Text replace_all(const Text& text, const Text& old, const Text& with, int64_t at_most);

// Case by code point: full mappings to several characters (but ß) and those that depend on the place are not known.
// `title` begins a word behind what is no letter with case, `words` behind white space, a hyphen or a bracket.
enum class Casing { upper, lower, title, words, capitalize };
Text change_case(const Text& text, Casing casing);
// & < > ' " as HTML writes them.
Text escape_html(const Text& text);

}  // namespace fude::jinja
