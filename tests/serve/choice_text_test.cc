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

// Whatever comes: each delta is whole characters, and no part of a stop string shows, in text or log-probabilities.
TEST(ChoiceText, WholeCharactersAndNoStopString) {
  const Tokenizer tokenizer = chat_tokenizer();
  ChoiceText choice(tokenizer, {"止STOP"}, {}, true);
  std::string text, tokens;
  const auto use = [&](const ChoiceText::Delta& delta) {
    for (const AnswerPart& part : delta.parts) {
      EXPECT_TRUE(is_valid_utf8(part.text)) << part.text;
      text += part.text;
    }
    for (const AnswerToken& token : delta.tokens) tokens += char(token.sampled.token);
  };
  for (const char c : std::string("日本止STO、止まれ止STOP more")) {
    ChoiceText::Delta delta;
    choice.add({0, {int32_t(static_cast<unsigned char>(c)), 0, 0}, {}}, delta);
    use(delta);
  }
  ChoiceText::Delta delta;
  choice.finish(delta);
  use(delta);
  EXPECT_TRUE(choice.is_stopped());
  EXPECT_EQ(text, "日本止STO、止まれ");
  EXPECT_EQ(tokens, text);
  EXPECT_EQ(choice.tokens(), int64_t(text.size() + std::string("止STOP").size()));
}

// Behind the only call that may be made nothing is read, nor counted.
TEST(ChoiceText, EndsBehindItsOnlyCall) {
  const Tokenizer tokenizer = chat_tokenizer();
  const std::string call = "<tool_call>{\"name\": \"f\", \"arguments\": {}";
  ChoiceText choice(tokenizer, {}, {.calls = AnswerForm::Calls::tagged, .has_one_call = true, .tools = {"f"}}, false);
  ChoiceText::Delta delta;
  for (const char c : call + "}</tool_call>more") choice.add({0, {int32_t(c), 0, 0}, {}}, delta);
  EXPECT_TRUE(choice.is_stopped());
  choice.finish(delta);
  EXPECT_FALSE(choice.is_in_call());
  EXPECT_EQ(choice.tokens(), int64_t(call.size()));
  EXPECT_EQ(delta.parts, (std::vector<AnswerPart>{{AnswerPart::Kind::call, "f"}, {AnswerPart::Kind::arguments, "{}"}}));
}

TEST(ChoiceText, GivesOutWhatWasHeldBackAtTheEnd) {
  const Tokenizer tokenizer = chat_tokenizer();
  ChoiceText choice(tokenizer, {"STOP"}, {}, true);
  ChoiceText::Delta delta;
  for (const char c : std::string("a ST")) choice.add({0, {int32_t(c), 0, 0}, {}}, delta);
  EXPECT_EQ(delta.parts, (std::vector<AnswerPart>{{AnswerPart::Kind::content, "a "}}));
  EXPECT_EQ(delta.tokens.size(), 2u);
  choice.finish(delta);
  EXPECT_EQ(delta.parts, (std::vector<AnswerPart>{{AnswerPart::Kind::content, "a ST"}}));
  EXPECT_EQ(delta.tokens.size(), 4u);
}

}  // namespace
}  // namespace fude
