// The body of POST /v1/chat/completions as typed values: the one place where JSON of strangers is read.
//
// Every field is checked for type and range before anything is made of it, and lists are counted before they are
// copied. Fields that are not known are let pass, as clients send many; a known one that is wrong is an ApiError with
// its name in `param`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "infer/sampler.h"
#include "reason/budget.h"
#include "reason/choose.h"

namespace fude {

struct ChatLimits {
  uint64_t body_bytes = 1 << 20;
  int depth = 64;             // of the JSON
  uint64_t values = 1 << 20;  // in it
  size_t messages = 2048;
  size_t parts = 256;  // of one message's content
  size_t tools = 128;
  size_t calls = 128;  // of one message
  size_t schema_bytes = 1 << 18;
  size_t stops = 4;
  size_t stop_bytes = 1024;
  size_t biases = 1024;
  int64_t choices = 128;
  int64_t top_logprobs = 20;
  int64_t whole_logprobs = 1 << 20;  // of all tokens and choices of an answer that is no stream
};

struct ToolCall {
  std::string id, name, arguments;  // arguments: JSON as text
};

struct ChatMessage {
  std::string role;     // system, developer, user, assistant, tool
  std::string content;  // text parts are joined by line ends
  std::vector<ToolCall> calls;
  std::string call_id;  // of role tool: what it answers
};

struct ChatTool {
  std::string name;
  Json function;    // {"name", "description", "parameters", …} as it came
  Json parameters;  // JSON Schema; an object without members if none was given
};

struct ChatRequest {
  enum class Format { text, json_object, json_schema };
  enum class Choice { none, automatic, required, named };

  std::string model;  // empty: not said
  std::vector<ChatMessage> messages;
  SamplingOptions sampling;
  bool has_seed = false;
  std::optional<int64_t> max_tokens;
  int64_t choices = 1;
  std::vector<std::string> stops;
  bool is_stream = false, includes_usage = false;
  bool has_logprobs = false;
  int64_t top_logprobs = 0;
  Format format = Format::text;
  Json schema;  // of Format::json_schema
  std::vector<ChatTool> tools;
  Choice tool_choice = Choice::none;
  std::string tool;  // of Choice::named
  bool has_parallel_calls = true;
  std::optional<bool> thinks;  // for templates that let thinking be turned on and off
  ThinkingBudget budget;
  int64_t vote = 0;  // answers of which one is given; 0: each is
  ChooseBy choose = ChooseBy::vote;

  bool must_call() const { return tool_choice == Choice::required || tool_choice == Choice::named; }
};

ChatRequest parse_chat_request(std::string_view body, const ChatLimits& limits = {});

}  // namespace fude
