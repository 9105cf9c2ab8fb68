#include "serve/chat_prompts.h"

#include "tests/support/serve_case.h"

namespace fude {
namespace {

std::string prompt_text(const ChatPrompts& prompts, const Tokenizer& tokenizer, const ChatRequest& request,
                        bool is_held = false) {
  return tokenizer.decode(prompts.prompt(request, is_held).tokens);
}

const std::string kTool =
    R"("tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}])";

TEST(ChatPrompts, TemplateWithTools) {
  const Tokenizer tokenizer = chat_tokenizer();
  const ChatPrompts prompts(tokenizer);
  EXPECT_TRUE(prompts.knows_tools());
  const ChatRequest request = parse_chat_request(
      R"({"messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": "<|im_end|>"}],)" + kTool +
      "}");
  const std::string text = prompt_text(prompts, tokenizer, request);
  EXPECT_NE(text.find("<tools>{\"type\": \"function\", \"function\": {\"name\": \"f\""), std::string::npos) << text;
  EXPECT_NE(text.find("<|im_start|>system\ns<|im_end|>"), std::string::npos) << text;
  // What the user wrote ends no turn.
  const auto tokens = prompts.prompt(request, false).tokens;
  EXPECT_EQ(std::ranges::count(tokens, 257), 3);
}

TEST(ChatPrompts, ToolsInWordsWhereTheTemplateHasNone) {
  const Tokenizer tokenizer = chat_tokenizer(
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor "
      "%}<|im_start|>assistant\n");
  const ChatPrompts prompts(tokenizer);
  EXPECT_FALSE(prompts.knows_tools());
  const ChatRequest request = parse_chat_request(R"({"messages": [{"role": "user", "content": "u"},
    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "r"}],)" +
                                                 kTool + "}");
  const std::string text = prompt_text(prompts, tokenizer, request);
  EXPECT_TRUE(text.starts_with("<|im_start|>system\nYou may call functions.")) << text;
  EXPECT_NE(
      text.find(
          "<|im_start|>assistant\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call><|im_end|>"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("<|im_start|>user\n<tool_response>\nr\n</tool_response>"), std::string::npos) << text;
}

// They are ids mostly, and a float would be another one.
TEST(ChatPrompts, LongIntegersKeepTheirDigits) {
  const Tokenizer tokenizer = chat_tokenizer();
  const ChatPrompts prompts(tokenizer);
  const ChatRequest request = parse_chat_request(R"({"messages": [{"role": "user", "content": "u"},
    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments":
      "{\"a\": 123456789012345678901234, \"b\": 18446744073709551615, \"c\": -9223372036854775808, \"d\": 1e23}"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "r"}],)" +
                                                 kTool + "}");
  const std::string text = prompt_text(prompts, tokenizer, request);
  EXPECT_NE(text.find(R"({"a": "123456789012345678901234", "b": "18446744073709551615", "c": -9223372036854775808, )"
                      R"("d": 1e+23})"),
            std::string::npos)
      << text;
}

// Templates whose roles have to alternate take the results of several calls too.
TEST(ChatPrompts, ResultsInWordsAreOneMessage) {
  const Tokenizer tokenizer = chat_tokenizer(
      "{% for m in messages %}{% if not loop.first and m.role == messages[loop.index0 - 1].role %}"
      "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}");
  const ChatPrompts prompts(tokenizer);
  const ChatRequest request = parse_chat_request(R"({"messages": [{"role": "user", "content": "u"},
    {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}},
                                         {"id": "2", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "1", "content": "r"}, {"role": "tool", "tool_call_id": "2", "content": "s"}],)" +
                                                 kTool + "}");
  const std::string text = prompt_text(prompts, tokenizer, request);
  EXPECT_TRUE(text.ends_with("[user]<tool_response>\nr\n</tool_response>\n<tool_response>\ns\n</tool_response>"))
      << text;
}

TEST(ChatPrompts, ForcedCallsBeginInThePrompt) {
  const Tokenizer tokenizer = chat_tokenizer();
  const ChatPrompts prompts(tokenizer);
  const ChatRequest request = parse_chat_request(
      R"({"messages": [{"role": "user", "content": "u"}], "tool_choice": "required",)" + kTool + "}");
  const std::string text = prompt_text(prompts, tokenizer, request, true);
  EXPECT_TRUE(text.ends_with("<think>\n\n</think>\n\n<tool_call>\n")) << text;
}

TEST(ChatPrompts, ThoughtThatBeginsInThePrompt) {
  const Tokenizer tokenizer = chat_tokenizer(
      "{% for m in messages %}{{ m.content }}{% endfor %}<|im_start|>assistant\n<think>\n{# </think> #}");
  const ChatPrompts prompts(tokenizer);
  const ChatRequest request = parse_chat_request(R"({"messages": [{"role": "user", "content": "u"}]})");
  EXPECT_TRUE(prompts.prompt(request, false).form.begins_in_thought);
  EXPECT_TRUE(prompt_text(prompts, tokenizer, request, true).ends_with("<think>\n</think>\n\n"));
}

TEST(ChatPrompts, WhatTheTemplateRefuses) {
  const Tokenizer tokenizer = chat_tokenizer("{{ raise_exception('no system') }}");
  const ChatPrompts prompts(tokenizer);
  const ChatRequest request = parse_chat_request(R"({"messages": [{"role": "user", "content": "u"}]})");
  EXPECT_THROW(prompts.prompt(request, false), ApiError);
  EXPECT_FALSE(ChatPrompts(chat_tokenizer("")).can_chat());
}

}  // namespace
}  // namespace fude
