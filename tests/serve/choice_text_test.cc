#include "serve/choice_text.h"

#include "tests/support/serve_case.h"
#include "text/unicode.h"

namespace fude {
namespace {

// Each token is a byte; however characters and a stop string lie across them, what is given out is whole characters.
TEST(ChoiceText, CharactersAreWhole) {
  const std::string words = "<think>静か</think>東京、caf\u00e9 🗻！京";
  for (const char* stop : {"！京都", "京", "😀"}) {
    const Tokenizer tokenizer = chat_tokenizer();
    ChoiceText choice(tokenizer, {stop}, {.may_think = true}, false);
    std::string reasoning, content;
    const auto use = [&](const ChoiceText::Delta& delta) {
      for (const AnswerPart& part : delta.parts) {
        EXPECT_EQ(replace_invalid(part.text), part.text) << stop;
        (part.kind == AnswerPart::Kind::reasoning ? reasoning : content) += part.text;
      }
    };
    for (const char byte : words) {
      ChoiceText::Delta delta;
      choice.add({.sampled = {.token = static_cast<unsigned char>(byte)}}, delta);
      use(delta);
    }
    ChoiceText::Delta rest;
    choice.finish(rest);
    use(rest);
    EXPECT_EQ(reasoning, "静か");
    EXPECT_EQ(content, stop == std::string("京") ? "東" : "東京、caf\u00e9 🗻！京");
  }
}

// Bytes that never become a character are shown as such at the end, not kept and not given out raw.
TEST(ChoiceText, AnAnswerMayEndInsideACharacter) {
  const Tokenizer tokenizer = chat_tokenizer();
  ChoiceText choice(tokenizer, {}, {}, false);
  ChoiceText::Delta delta;
  for (const int token : {int('a'), 0xe6, 0x9d}) choice.add({.sampled = {.token = token}}, delta);
  ASSERT_EQ(delta.parts.size(), 1u);
  EXPECT_EQ(delta.parts[0].text, "a");
  choice.finish(delta);
  EXPECT_EQ(delta.parts.back().text, "a\uFFFD");
}

}  // namespace
}  // namespace fude
