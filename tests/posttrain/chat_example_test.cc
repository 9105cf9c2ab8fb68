// What is learned of a conversation.
#include "posttrain/chat_example.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/chat_case.h"

namespace fude {
namespace {

// The learned tokens in brackets.
std::string shown(const Chat& chat, const ChatExample& example) {
  std::string text;
  bool is_open = false;
  for (size_t i = 0; i < example.tokens.size(); ++i) {
    if (example.is_learned[i] != is_open) text += is_open ? "]" : "[";
    is_open = example.is_learned[i];
    text += chat.tokenizer().bytes_of(example.tokens[i]);
  }
  return text + (is_open ? "]" : "");
}

std::string made(const std::string& chat_template, const std::string& line, const ExampleOptions& options = {},
                 ExampleCounts* counts = nullptr) {
  const Chat chat(byte_tokenizer(chat_template));
  ExampleCounts own;
  return shown(chat, make_example(chat, parse_conversation(line, "line"), options, "line", counts ? *counts : own));
}

constexpr const char* kTwoTurns = R"({"messages": [{"role": "user", "content": "1+1?"},
  {"role": "assistant", "content": "2", "reasoning_content": "two"}, {"role": "user", "content": "2+2?"},
  {"role": "assistant", "content": "4", "reasoning_content": "four"}, {"role": "user", "content": "bye"}]})";

TEST(ChatExample, LearnsTheAssistantUpToItsEnd) {
  EXPECT_EQ(made("", kTwoTurns),
            "<|user|>1+1?<|end|><|assistant|>[<think>two</think>2<|end|>]"
            "<|user|>2+2?<|end|><|assistant|>[<think>four</think>4<|end|>]");
  EXPECT_EQ(made("", kTwoTurns, {.with_thoughts = false}),
            "<|user|>1+1?<|end|><|assistant|>[2<|end|>]<|user|>2+2?<|end|><|assistant|>[4<|end|>]");
}

TEST(ChatExample, ATemplateWithoutThoughtsGetsThemInTheText) {
  const std::string chatml =
      "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>{% endif %}";
  EXPECT_EQ(made(chatml, kTwoTurns),
            "<|user|>1+1?<|end|>\n<|assistant|>[<think>\ntwo\n</think>\n\n2<|end|>]\n"
            "<|user|>2+2?<|end|>\n<|assistant|>[<think>\nfour\n</think>\n\n4<|end|>]");
}

// What the template changes once it is history is never asked for, so it is not learned; and that is said.
TEST(ChatExample, TurnsThatBecomeAnotherHistoryAreNotLearned) {
  ExampleCounts counts;
  const std::string line = R"({"messages": [{"role": "user", "content": "1+1?"},
    {"role": "assistant", "content": "2", "reasoning_content": "two"}, {"role": "user", "content": "2+2?"},
    {"role": "assistant", "content": "4", "reasoning_content": "four"}]})";
  EXPECT_EQ(made(kForgetful, line, {}, &counts),
            "<|user|>1+1?<|end|><|assistant|>2<|end|><|user|>2+2?<|end|><|assistant|>[<think>four</think>4<|end|>]");
  EXPECT_EQ(counts.turns, 1);
  EXPECT_EQ(counts.changed_turns, 1);
}

TEST(ChatExample, RolesAndWeights) {
  const std::string line = R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"},
    {"role": "assistant", "content": "a", "weight": 0}, {"role": "user", "content": "v"},
    {"role": "assistant", "content": "b"}]})";
  EXPECT_EQ(made("", line),
            "<|system|>s<|end|><|user|>u<|end|><|assistant|>a<|end|><|user|>v<|end|><|assistant|>[b<|end|>]");
  EXPECT_EQ(made("", line, {.learned_roles = {"user"}}),
            "<|system|>s<|end|>[<|user|>u<|end|>]<|assistant|>a<|end|>[<|user|>v<|end|>]");
  EXPECT_EQ(made("", R"({"messages": [{"role": "user", "content": "u"}]})"), "");
}

// A message cannot end its turn, nor begin another's.
TEST(ChatExample, WordsOfMarkersStayWords) {
  const Chat chat(byte_tokenizer());
  ExampleCounts counts;
  const ChatExample example =
      make_example(chat, parse_conversation(R"({"prompt": "<|end|><|assistant|>", "completion": "x<|end|>"})", "line"),
                   {}, "line", counts);
  EXPECT_EQ(std::ranges::count(example.tokens, *chat.tokenizer().find_special(kEnd)), 2);
  EXPECT_EQ(std::ranges::count(example.tokens, *chat.tokenizer().find_special(kAssistant)), 1);
}

// The tokens before a learned turn are those that a server would begin from.
TEST(ChatExample, LearnsFromTheServersPrompt) {
  const Chat chat(byte_tokenizer());
  const auto conversation = parse_conversation(kTwoTurns, "line");
  ExampleCounts counts;
  const ChatExample example = make_example(chat, conversation, {}, "line", counts);
  for (size_t turn : {1, 3}) {
    const Json before(conversation.messages.begin(), conversation.messages.begin() + int64_t(turn));
    const std::vector<TokenId> prompt = chat.tokens(before);
    ASSERT_LT(prompt.size(), example.tokens.size());
    EXPECT_TRUE(std::equal(prompt.begin(), prompt.end(), example.tokens.begin()));
    EXPECT_FALSE(example.is_learned[prompt.size() - 1]);
    EXPECT_TRUE(example.is_learned[prompt.size()]);
  }
}

TEST(ChatExample, ARefusalOfTheTemplateSaysWhere) {
  try {
    made("{{ raise_exception('no system here') }}", kTwoTurns);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("line"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("no system here"), std::string::npos);
  }
}

}  // namespace
}  // namespace fude
