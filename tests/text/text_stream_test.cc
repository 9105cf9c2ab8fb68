#include "text/text_stream.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "text/tokenizer_file.h"
#include "text/unicode.h"

namespace fude {
namespace {

// One token a byte, and a special token.
Tokenizer byte_tokenizer() {
  TokenizerData data;
  for (int byte = 0; byte < 256; ++byte) data.vocabulary.tokens.push_back(std::string(1, char(byte)));
  data.added.push_back({.id = 256, .content = "<|end|>"});
  return Tokenizer(data);
}

TEST(TextStream, HoldsBackIncompleteCharacters) {
  TextStream stream(byte_tokenizer());
  EXPECT_EQ(stream.add('a'), "a");
  EXPECT_EQ(stream.add(0xE3), "");
  EXPECT_EQ(stream.add(0x81), "");
  EXPECT_EQ(stream.add(0x82), "\xE3\x81\x82");
  EXPECT_EQ(stream.add(0xE3), "");
  EXPECT_EQ(stream.add('b'),
            "\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(stream.add(0xF0), "");
  EXPECT_EQ(stream.flush(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.flush(), "");
}

TEST(TextStream, ARowOfTheModelThatIsNoTokenHasNoText) {
  TextStream stream(byte_tokenizer());
  EXPECT_EQ(stream.add(TokenId(byte_tokenizer().vocabulary_size())), "");
}

TEST(TextStream, SpecialTokensAreHiddenUnlessAskedFor) {
  TextStream hidden(byte_tokenizer()), shown(byte_tokenizer(), TextStream::Special::shown);
  EXPECT_EQ(hidden.add(256), "");
  EXPECT_EQ(shown.add(256), "<|end|>");
}

TEST(TextStream, EqualsReplacingAtTheEnd) {
  const Tokenizer tokenizer = byte_tokenizer();
  Random random{4, 4};
  for (int n = 0; n < 5000; ++n) {
    std::string bytes;
    for (uint64_t k = random.below(12); k > 0; --k)
      bytes += "\xE3\x81\x82\xF0\x9F\x98\x80\xC3\xED\xA0\xF4\x90z"[random.below(14)];
    TextStream stream(tokenizer);
    std::string out;
    for (const char c : bytes) {
      const std::string text = stream.add(uint8_t(c));
      ASSERT_TRUE(is_valid_utf8(text));
      out += text;
    }
    out += stream.flush();
    ASSERT_EQ(out, replace_invalid(bytes)) << testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace fude
