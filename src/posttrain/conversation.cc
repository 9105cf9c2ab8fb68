#include "posttrain/conversation.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "text/chat.h"

namespace fude {
namespace {

constexpr std::array<std::string_view, 5> kRoles = {"system", "developer", "user", "assistant", "tool"};

// A text, or a list of parts of which each is text.
std::string text_of(const Json& content, std::string_view where) {
  if (content.is_null()) return "";
  if (content.is_string()) return content.get<std::string>();
  require(content.is_array(), "[{}] expected a message's content to be text or a list of parts", where);
  std::string text;
  for (const Json& part : content) {
    require(part.is_object() && json_string(part, "type", where) == "text",
            "[{}] expected parts of type 'text': pictures and sound are not trained yet", where);
    text += json_string(part, "text", where);
  }
  return text;
}

// Templates expect the arguments as an object; OpenAI has them as text. Long integers keep their digits.
Json tool_calls_of(const Json& calls, std::string_view where) {
  require(calls.is_array(), "[{}] expected 'tool_calls' to be a list", where);
  Json result = Json::array();
  for (const Json& call : calls) {
    require(call.is_object() && call.contains("function") && call["function"].is_object(),
            "[{}] expected a tool call with a 'function'", where);
    Json function = call["function"];
    json_string(function, "name", where);
    if (const auto arguments = function.find("arguments"); arguments != function.end() && arguments->is_string()) {
      const std::string text = arguments->get<std::string>();
      try {
        *arguments = parse_json(text, "arguments", {.bytes = 1 << 20, .depth = 64, .long_integers_as_text = true});
      } catch (const Error&) {}  // what is not JSON stays the text that it is
    }
    Json one = {{"type", "function"}, {"function", function}};
    if (call.contains("id")) one["id"] = call["id"];
    result.push_back(std::move(one));
  }
  return result;
}

std::optional<std::string> thought_of(const Json& message, std::string_view where) {
  for (const char* key : {"reasoning_content", "reasoning", "thinking"})
    if (const auto found = message.find(key); found != message.end() && !found->is_null())
      return json_string(message, key, where);
  return {};
}

void add_message(TrainingConversation& conversation, const Json& message, std::string_view where) {
  require(message.is_object(), "[{}] expected messages to be objects", where);
  const std::string role = json_string(message, "role", where);
  require(std::ranges::find(kRoles, role) != kRoles.end(),
          "[{}] expected a role of system, developer, user, assistant or tool, got '{}'", where, role);
  const auto has = [&](const char* key) { return message.contains(key) && !message[key].is_null(); };
  std::string content = text_of(has("content") ? message["content"] : Json(), where);
  Json result = {{"role", role}};
  if (role == "assistant") {
    std::optional<std::string> thought = thought_of(message, where);
    if (!thought) {
      const ThoughtAndAnswer parts = split_thought(content);
      require(!parts.is_thought_open, "[{}] an answer begins a thought and does not end it", where);
      if (!parts.thought.empty()) thought = std::string(parts.thought), content = std::string(parts.answer);
    }
    if (thought && !thought->empty()) result["reasoning_content"] = *thought;
    if (has("tool_calls")) result["tool_calls"] = tool_calls_of(message["tool_calls"], where);
  }
  result["content"] = std::move(content);
  for (const char* key : {"tool_call_id", "name"})
    if (has(key)) result[key] = json_string(message, key, where);
  const double weight = json_number(message, "weight", where, 1);
  require(weight == 0 || weight == 1, "[{}] expected a message's weight to be 0 or 1, got {}", where, weight);
  conversation.messages.push_back(std::move(result));
  conversation.is_weighted.push_back(weight == 1);
}

// A text is one message of this role.
void add_all(TrainingConversation& conversation, const Json& messages, const char* role, std::string_view where) {
  if (messages.is_string()) return add_message(conversation, {{"role", role}, {"content", messages}}, where);
  require(messages.is_array(), "[{}] expected a text or a list of messages", where);
  for (const Json& message : messages) add_message(conversation, message, where);
}

void add_shared(TrainingConversation& conversation, const Json& turns, std::string_view where) {
  require(turns.is_array(), "[{}] expected 'conversations' to be a list", where);
  for (const Json& turn : turns) {
    const std::string from = json_string(turn, "from", where);
    const char* role = from == "human" || from == "user"         ? "user"
                       : from == "gpt" || from == "assistant"    ? "assistant"
                       : from == "system"                        ? "system"
                       : from == "tool" || from == "observation" ? "tool"
                                                                 : nullptr;
    require(role != nullptr, "[{}] expected 'from' to be human, gpt, system or tool, got '{}'", where, from);
    add_message(conversation, {{"role", role}, {"content", json_string(turn, "value", where)}}, where);
  }
}

}  // namespace

TrainingConversation parse_conversation(std::string_view line, std::string_view where) {
  const Json object = parse_json(line, where, {.bytes = 64 << 20, .depth = 64});
  require(object.is_object(), "[{}] expected an object", where);
  TrainingConversation conversation;
  if (object.contains("messages")) {
    add_all(conversation, object["messages"], "user", where);
  } else if (object.contains("conversations")) {
    add_shared(conversation, object["conversations"], where);
  } else {
    require(object.contains("prompt") && object.contains("completion"),
            "[{}] expected 'messages', 'conversations', or 'prompt' and 'completion'", where);
    add_all(conversation, object["prompt"], "user", where);
    std::fill(conversation.is_weighted.begin(), conversation.is_weighted.end(), false);
    add_all(conversation, object["completion"], "assistant", where);
  }
  require(!conversation.messages.empty(), "[{}] expected at least one message", where);
  if (const auto tools = object.find("tools"); tools != object.end() && !tools->is_null()) {
    require(tools->is_array(), "[{}] expected 'tools' to be a list", where);
    if (!tools->empty()) conversation.tools = *tools;
  }
  return conversation;
}

}  // namespace fude
