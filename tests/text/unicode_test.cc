#include "text/unicode.h"

#include <gtest/gtest.h>

#include <utf8proc.h>

#include <cstdlib>

#include "base/random.h"

namespace fude {
namespace {

TEST(Unicode, DecodesEveryScalarValue) {
  for (uint32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 7) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    const Character decoded = decode_character(text, 0);
    ASSERT_EQ(decoded.code_point, c);
    ASSERT_EQ(decoded.length, text.size());
    ASSERT_TRUE(is_valid_utf8(text));
    if (text.size() > 1) { ASSERT_EQ(valid_prefix(text.substr(0, text.size() - 1)), 0u); }
  }
}

TEST(Unicode, IllFormedBytesAreSingleCharacters) {
  for (const std::string text : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                                 "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE3\x81", "\xFF"}) {
    EXPECT_EQ(decode_character(text, 0).code_point, kInvalid);
    EXPECT_EQ(decode_character(text, 0).length, 1u);
    for (const std::string before : {"ab", "0123456789", "\xE6\xBC\xA2", "12345678\xE6\xBC\xA2"})
      EXPECT_EQ(valid_prefix(before + text), before.size());
  }
}

TEST(Unicode, Classes) {
  EXPECT_EQ(class_of('A'), CharClass::upper);
  EXPECT_EQ(class_of('a'), CharClass::lower);
  EXPECT_EQ(class_of(0x01C5), CharClass::title);
  EXPECT_EQ(class_of(0x02B0), CharClass::modifier);
  EXPECT_EQ(class_of(0x6F22), CharClass::letter);
  EXPECT_EQ(class_of(0x0301), CharClass::mark);
  EXPECT_EQ(class_of(0x00BD), CharClass::number);
  EXPECT_EQ(class_of(0x3000), CharClass::space);
  EXPECT_EQ(class_of(0x1F600), CharClass::other);
  EXPECT_EQ(class_of(0x180E), CharClass::other);  // no white space since Unicode 6.3
  EXPECT_EQ(class_of(kInvalid), CharClass::other);
}

TEST(Unicode, ReplacesMaximalIllFormedParts) {
  // The expected values are those of Python's bytes.decode("utf-8", "replace").
  EXPECT_EQ(replace_invalid("a\xE3\x81z"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(replace_invalid("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(replace_invalid("\xF0\x9F\x98"), "\xEF\xBF\xBD");
  EXPECT_EQ(replace_invalid("\xC3\xC3\xA9"), "\xEF\xBF\xBD\xC3\xA9");
}

TEST(Unicode, IncompleteSuffix) {
  EXPECT_EQ(incomplete_suffix("a\xE3\x81"), 2u);
  EXPECT_EQ(incomplete_suffix("\xE3\x81\x82"), 0u);
  EXPECT_EQ(incomplete_suffix("\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incomplete_suffix("\xFF"), 0u);
  EXPECT_EQ(incomplete_suffix("\xE0\x80"), 0u);
  EXPECT_EQ(incomplete_suffix("\x80\x80"), 0u);
  EXPECT_EQ(incomplete_suffix(""), 0u);
}

TEST(Unicode, NormalizesWellFormedParts) {
  EXPECT_EQ(normalize_nfc("e\xCC\x81"), "\xC3\xA9");
  EXPECT_EQ(normalize_nfc("e\xCC\x81\xFF"
                          "e\xCC\x81"),
            "\xC3\xA9\xFF\xC3\xA9");
  EXPECT_EQ(normalize_nfc("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB"), "\xED\x95\x9C");
  EXPECT_EQ(normalize_nfc("plain \xC3\xA9"), "plain \xC3\xA9");
  EXPECT_EQ(normalize_nfc(std::string("a\0b", 3)), std::string("a\0b", 3));
}

std::string by_utf8proc(const std::string& text) {
  utf8proc_uint8_t* normal = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), utf8proc_ssize_t(text.size()),
                                 &normal, utf8proc_option_t(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  std::string result(reinterpret_cast<const char*>(normal), size_t(size));
  std::free(normal);
  return result;
}

// Marks of many classes and what composes with them: Latin, Tibetan (whose characters fall apart into marks),
// Hangul, kana.
TEST(Unicode, NormalizesAsTheLibraryDoes) {
  constexpr uint32_t kParts[] = {'a',    'o',    0xC5,   0x1EAD, 0x301,  0x323, 0x302,  0x344,
                                 0x345,  0x31B,  0xF40,  0xF73,  0xF71,  0xF72, 0x1112, 0x1161,
                                 0x11AB, 0xD55C, 0x304B, 0x3099, 0x309A, 0x5D0, 0x5B8,  0x1F600};
  Random random{3};
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (uint64_t i = 0, n = 1 + random.below(9); i < n; ++i)
      append_utf8(text, kParts[random.below(std::size(kParts))]);
    ASSERT_EQ(normalize_nfc(text), by_utf8proc(text)) << text;
  }
  for (uint32_t c = 1; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_EQ(normalize_nfc(text), by_utf8proc(text)) << c;
  }
}

// Done by swapping neighbours, this would take hours.
TEST(Unicode, NormalizesManyMarksInNoTime) {
  constexpr size_t kMany = 300'000;
  const auto times = [](std::string_view piece, size_t count) {
    std::string text;
    while (count-- > 0) text += piece;
    return text;
  };
  const std::string above = "\xCC\x81", below = "\xCC\xA3";
  EXPECT_EQ(normalize_nfc("a" + times(above, kMany) + times(below, kMany)),
            "\xE1\xBA\xA1" + times(below, kMany - 1) + times(above, kMany));
}

}  // namespace
}  // namespace fude
