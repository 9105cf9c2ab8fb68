#include "text/unicode.h"

#include <gtest/gtest.h>

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
  }
}

TEST(Unicode, IllFormedBytesAreSingleCharacters) {
  for (const std::string text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE3\x81", "\xFF"}) {
    EXPECT_EQ(decode_character(text, 0).code_point, kInvalid);
    EXPECT_EQ(decode_character(text, 0).length, 1u);
    EXPECT_EQ(valid_prefix("ab" + text), 2u);
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

}  // namespace
}  // namespace fude
