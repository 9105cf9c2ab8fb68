#include "posttrain/conversation.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace fude {
namespace {

std::string failure(const std::string& line) {
  try {
    parse_conversation(line, "a.jsonl:3");
  } catch (const Error& error) { return error.what(); }
  return "";
}

TEST(Conversation, ThreeForms) {
  const auto messages = parse_conversation(
      R"({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo", "weight": 0}]})", "a");
  const Json expected =
      parse_json(R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}])", "");
  EXPECT_EQ(messages.messages, expected);
  EXPECT_EQ(messages.is_weighted, std::vector<bool>({true, false}));
  const auto shared = parse_conversation(
      R"({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}]})", "a");
  EXPECT_EQ(shared.messages, expected);
  const auto pair = parse_conversation(R"({"prompt": "Hi", "completion": "Yo"})", "a");
  EXPECT_EQ(pair.messages, expected);
  EXPECT_EQ(pair.is_weighted, std::vector<bool>({false, true}));
  const auto lists = parse_conversation(
      R"({"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Yo"}]})",
      "a");
  EXPECT_EQ(lists.messages, expected);
}

TEST(Conversation, ThoughtsByFieldAndByMark) {
  const Json expected = {{{"role", "assistant"}, {"reasoning_content", "so"}, {"content", "4"}}};
  for (const char* message : {R"({"role": "assistant", "content": "4", "reasoning_content": "so"})",
                              R"({"role": "assistant", "content": "4", "reasoning": "so"})",
                              R"({"role": "assistant", "content": "4", "thinking": "so"})",
                              R"({"role": "assistant", "content": "<think>\nso\n</think>\n\n4"})"})
    EXPECT_EQ(parse_conversation(R"({"messages": [)" + std::string(message) + "]}", "a").messages, expected) << message;
  // A user may speak of them.
  const auto said = parse_conversation(R"({"messages": [{"role": "user", "content": "<think>x</think>y"}]})", "a");
  EXPECT_EQ(said.messages[0]["content"], "<think>x</think>y");
}

TEST(Conversation, PartsAndCalls) {
  const auto c = parse_conversation(
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
          {"role": "assistant", "content": null, "tool_calls":
            [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
          {"role": "tool", "tool_call_id": "c1", "content": "2"}], "tools": [{"type": "function"}]})",
      "a");
  EXPECT_EQ(c.messages[0]["content"], "ab");
  EXPECT_EQ(c.messages[1]["tool_calls"][0]["function"]["arguments"]["x"], 1);
  EXPECT_EQ(c.messages[2]["tool_call_id"], "c1");
  EXPECT_EQ(c.tools.size(), 1u);
}

// As a server shows them to a template.
TEST(Conversation, LongIntegersOfCallsKeepTheirDigits) {
  const auto c = parse_conversation(
      R"({"messages": [{"role": "assistant", "content": "", "tool_calls":
          [{"function": {"name": "f", "arguments": "{\"x\": 123456789012345678901234, \"y\": 18446744073709551615}"}}]}]})",
      "a");
  EXPECT_EQ(c.messages[0]["tool_calls"][0]["function"]["arguments"].dump(),
            R"({"x":"123456789012345678901234","y":"18446744073709551615"})");
}

// Some libraries write every field of a message, whatever it has.
TEST(Conversation, NullIsNothing) {
  const auto c = parse_conversation(
      R"({"messages": [{"role": "assistant", "content": "Yo", "name": null, "tool_call_id": null, "weight": null,
          "tool_calls": null, "reasoning_content": null}], "tools": null})",
      "a");
  EXPECT_EQ(c.messages, parse_json(R"([{"role": "assistant", "content": "Yo"}])", ""));
  EXPECT_EQ(c.is_weighted, std::vector<bool>({true}));
}

TEST(Conversation, BadLinesSayWhere) {
  for (const char* line :
       {"[]", "{}", R"({"messages": []})", R"({"messages": [1]})",
        R"({"messages": [{"role": "boss", "content": "x"}]})", R"({"messages": [{"role": "user", "content": 5}]})",
        R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})",
        R"({"messages": [{"role": "assistant", "content": "<think>never ends"}]})", R"({"prompt": "x"})",
        R"({"messages": [{"role": "assistant", "content": "x", "weight": 0.5}]})",
        R"({"conversations": [{"from": "x", "value": ""}]})",
        R"({"messages": [{"role": "assistant", "tool_calls": [{}]}]})",
        R"({"messages": [{"role": "user", "content": "x"}], "tools": 1})", "{"})
    EXPECT_NE(failure(line).find("a.jsonl:3"), std::string::npos) << line << " gives '" << failure(line) << "'";
}

}  // namespace
}  // namespace fude
