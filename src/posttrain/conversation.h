// One training conversation out of a line of JSON, in any of the forms that people have them:
//
//   {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}], "tools": […]}    OpenAI's
//   {"prompt": "…" or […], "completion": "…" or […]}                                                        TRL's
//   {"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}                      ShareGPT's
//
// A thought is the field "reasoning_content" (or "reasoning", "thinking") of an assistant's message, or stands between
// <think> and </think> at the beginning of its content. An assistant's message with "weight": 0 is read, not learned.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace fude {

struct TrainingConversation {
  // As a chat template takes them: role, content, reasoning_content, tool_calls, tool_call_id, name.
  Json messages = Json::array();
  Json tools;                     // null: none
  std::vector<bool> is_weighted;  // of each message: whether it may be learned
};

// Error, naming `where`, if the line is of none of these forms, has no message, or a role that no template knows.
TrainingConversation parse_conversation(std::string_view line, std::string_view where);

}  // namespace fude
