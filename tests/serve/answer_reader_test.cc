#include "serve/answer_reader.h"

#include <gtest/gtest.h>

namespace fude {
namespace {

using Kind = AnswerPart::Kind;
using Parts = std::vector<AnswerPart>;

void join(Parts& parts, const Parts& more) {
  for (const AnswerPart& part : more)
    if (!parts.empty() && parts.back().kind == part.kind && part.kind != Kind::call)
      parts.back().text += part.text;
    else
      parts.push_back(part);
}

// The same parts however the text is cut.
Parts read(const AnswerForm& form, const std::string& text) {
  Parts whole;
  for (size_t piece : {text.size(), size_t(1), size_t(3), size_t(7)}) {
    AnswerReader reader(form);
    Parts parts;
    for (size_t at = 0; at < text.size(); at += std::max<size_t>(1, piece))
      join(parts, reader.add(text.substr(at, piece)));
    join(parts, reader.finish());
    if (whole.empty()) whole = parts;
    EXPECT_EQ(parts, whole) << "in pieces of " << piece;
  }
  return whole;
}

const AnswerForm kTagged{.may_think = true, .calls = AnswerForm::Calls::tagged, .tools = {"f", "g"}};
const AnswerForm kBare{.calls = AnswerForm::Calls::bare, .tools = {"f", "g"}};

TEST(AnswerReader, PlainText) {
  EXPECT_EQ(read({}, "a <think> b <tool_call>"), (Parts{{Kind::content, "a <think> b <tool_call>"}}));
  EXPECT_EQ(read(kTagged, "a < b <tool"), (Parts{{Kind::content, "a < b <tool"}}));
}

TEST(AnswerReader, Thought) {
  EXPECT_EQ(read(kTagged, "<think>\nhm\n</think>\n\nyes"), (Parts{{Kind::reasoning, "hm\n"}, {Kind::content, "yes"}}));
  EXPECT_EQ(read(kTagged, "<think>\n\n</think>\n\nyes"), (Parts{{Kind::content, "yes"}}));
  EXPECT_EQ(read(kTagged, "<think>cut"), (Parts{{Kind::reasoning, "cut"}}));
  EXPECT_EQ(read(kTagged, "say <think>"), (Parts{{Kind::content, "say <think>"}}));
  AnswerForm open = kTagged;
  open.begins_in_thought = true;
  EXPECT_EQ(read(open, "hm</think>yes"), (Parts{{Kind::reasoning, "hm"}, {Kind::content, "yes"}}));
}

TEST(AnswerReader, TaggedCalls) {
  const std::string call =
      "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": \"}\\\"]\", \"y\": [1, {}]}}\n</tool_call>";
  const Parts one = {{Kind::call, "f"}, {Kind::arguments, "{\"x\": \"}\\\"]\", \"y\": [1, {}]}"}};
  EXPECT_EQ(read(kTagged, call), one);
  Parts two = one;
  two.push_back({Kind::call, "g"});
  two.push_back({Kind::arguments, "{}"});
  EXPECT_EQ(read(kTagged, call + "\n<tool_call>{\"name\":\"g\",\"arguments\":{}}</tool_call>\n"), two);
  EXPECT_EQ(read(kTagged, "<tool_call>{\"arguments\": {\"a\": 1}, \"name\": \"g\"}</tool_call>"),
            (Parts{{Kind::call, "g"}, {Kind::arguments, "{\"a\":1}"}}));
  // An end that was forgotten takes nothing with it.
  EXPECT_EQ(
      read(kTagged,
           "<tool_call>{\"name\":\"g\",\"arguments\":{}}\n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>"),
      (Parts{{Kind::call, "g"}, {Kind::arguments, "{}"}, {Kind::call, "f"}, {Kind::arguments, "{}"}}));
  EXPECT_EQ(read(kTagged, "<tool_call>{\"name\":\"g\",\"arguments\":{}, \"id\": 1}} Which city?"),
            (Parts{{Kind::call, "g"}, {Kind::arguments, "{}"}, {Kind::content, "Which city?"}}));
  EXPECT_EQ(read(kTagged, "<tool_call>{\"name\":\"g\",\"arguments\":{}, \"id\": 1}</tool_call>"),
            (Parts{{Kind::call, "g"}, {Kind::arguments, "{}"}}));
  EXPECT_EQ(read(kTagged, "<tool_call>{\"name\": \"f\", \"arguments\": {}}"),
            (Parts{{Kind::call, "f"}, {Kind::arguments, "{}"}}));
}

TEST(AnswerReader, WhatIsNoCallIsText) {
  for (const char* text :
       {"<tool_call>nonsense</tool_call> yes", "<tool_call>{\"name\": \"h\", \"arguments\": {}}</tool_call>",
        "<tool_call>{\"name\": \"f\"}</tool_call>", "<tool_call>{\"name\": \"f\", \"argum"})
    EXPECT_EQ(read(kTagged, text), (Parts{{Kind::content, text}}));
}

TEST(AnswerReader, BareCalls) {
  EXPECT_EQ(read(kBare, "{\"name\": \"g\", \"parameters\": {\"a\": 1}}"),
            (Parts{{Kind::call, "g"}, {Kind::arguments, "{\"a\": 1}"}}));
  EXPECT_EQ(read(kBare, "{\"name\": \"g\", \"parameters\": {}}; {\"name\": \"f\", \"parameters\": {\"a\": 1}}"),
            (Parts{{Kind::call, "g"}, {Kind::arguments, "{}"}, {Kind::call, "f"}, {Kind::arguments, "{\"a\": 1}"}}));
  EXPECT_EQ(read(kBare, "{\"nam\": 1}"), (Parts{{Kind::content, "{\"nam\": 1}"}}));
  EXPECT_EQ(read(kBare, "So {\"name\": \"g\", \"parameters\": {}}"),
            (Parts{{Kind::content, "So {\"name\": \"g\", \"parameters\": {}}"}}));
}

// Where nobody reads along, what is no JSON is no call, and one that breaks off is none either.
TEST(AnswerReader, AwaitedCalls) {
  AnswerForm tagged = kTagged, bare = kBare;
  tagged.awaits_calls = bare.awaits_calls = true;
  const Parts call = {{Kind::call, "f"}, {Kind::arguments, "{\"x\":  [1, \"}\"]}"}};
  EXPECT_EQ(read(tagged, "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\":  [1, \"}\"]}}\n</tool_call>"), call);
  EXPECT_EQ(read(bare, "{\"name\": \"f\", \"parameters\": {\"x\":  [1, \"}\"]}}"), call);
  for (const char* text : {"<tool_call>\n{\"name\": \"f\", \"arguments\": {city: Madrid}}\n</tool_call>",
                           "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 1]}</tool_call> so"})
    EXPECT_EQ(read(tagged, text), (Parts{{Kind::content, text}}));
  const std::string words = "{\"name\": \"f\", \"parameters\": {city: Madrid}}";
  EXPECT_EQ(read(bare, words), (Parts{{Kind::content, words}}));
  EXPECT_EQ(read(tagged, "so <tool_call>{\"name\": \"f\", \"arguments\": {\"a\": "), (Parts{{Kind::content, "so "}}));
}

TEST(AnswerReader, OneCall) {
  for (const bool awaits : {false, true}) {
    AnswerForm one = kTagged;
    one.has_one_call = true, one.awaits_calls = awaits;
    const std::string call = "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
    EXPECT_EQ(read(one, "a" + call + call + "b"),
              (Parts{{Kind::content, "a"}, {Kind::call, "f"}, {Kind::arguments, "{}"}}));
    EXPECT_EQ(read(one, "<tool_call>{\"arguments\": {}, \"name\": \"g\"}</tool_call>" + call),
              (Parts{{Kind::call, "g"}, {Kind::arguments, "{}"}}));
  }
}

TEST(AnswerReader, CallsStandAtTheBeginning) {
  AnswerForm held = kTagged;
  held.may_think = false, held.begins_with_call = true;
  const std::string call = "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
  const Parts one = {{Kind::call, "f"}, {Kind::arguments, "{}"}};
  EXPECT_EQ(read(held, call), one);
  EXPECT_EQ(read(held, "[\"" + call + "\"]"), (Parts{{Kind::content, "[\"" + call + "\"]"}}));
  EXPECT_EQ(read(held, "<tool"), (Parts{{Kind::content, "<tool"}}));
}

TEST(AnswerReader, ForcedCall) {
  AnswerForm forced = kTagged;
  forced.begins_in_call = true, forced.may_think = false;
  EXPECT_EQ(read(forced, "{\"name\": \"f\", \"arguments\": {\"x\": 1}}"),
            (Parts{{Kind::call, "f"}, {Kind::arguments, "{\"x\": 1}"}}));
}

}  // namespace
}  // namespace fude
