#include "serve/chat_prompts.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "serve/api_error.h"

namespace fude {
namespace {

// A conversation of one request: a thousandth of a second for a usual one, and an end for any.
constexpr TemplateLimits kTemplateLimits = {
    .steps = 10'000'000, .value_bytes = uint64_t(256) << 20, .output_bytes = uint64_t(16) << 20};

constexpr const char* kToolPrompt =
    "You may call functions. Each line is one of them, with its parameters as JSON Schema:\n{}\n"
    "To call one, write\n<tool_call>\n{{\"name\": \"NAME\", \"arguments\": {{…}}}}\n</tool_call>\n"
    "and nothing behind it. What it returned comes in the next message.";

std::string joined(const std::vector<TextPiece>& pieces) {
  std::string text;
  for (const TextPiece& piece : pieces) text += piece.text;
  return text;
}

// Templates expect an object, as transformers gives it; what is none stays the text that it is. Long integers, which
// are ids mostly, keep their digits.
Json arguments_of(const ToolCall& call) {
  try {
    Json arguments =
        parse_json(call.arguments, "arguments", {.bytes = 1 << 20, .depth = 64, .long_integers_as_text = true});
    if (arguments.is_object()) return arguments;
  } catch (const Error&) {}
  return call.arguments;
}

// As the template has it.
Json messages_for_template(const std::vector<ChatMessage>& messages, bool knows_developer) {
  Json list = Json::array();
  std::unordered_map<std::string_view, std::string_view> name_of_call;
  for (const ChatMessage& m : messages)
    for (const ToolCall& call : m.calls) name_of_call[call.id] = call.name;
  for (const ChatMessage& m : messages) {
    Json message = {{"role", m.role == "developer" && !knows_developer ? "system" : m.role}, {"content", m.content}};
    for (const ToolCall& call : m.calls)
      message["tool_calls"].push_back({{"id", call.id},
                                       {"type", "function"},
                                       {"function", {{"name", call.name}, {"arguments", arguments_of(call)}}}});
    if (m.role == "tool") {
      message["tool_call_id"] = m.call_id;
      if (const auto name = name_of_call.find(m.call_id); name != name_of_call.end()) message["name"] = name->second;
    }
    list.push_back(std::move(message));
  }
  return list;
}

// For a template without tools: they, calls and results are plain text of roles that it knows. Results that follow each
// other are one message, since roles often have to alternate.
std::vector<ChatMessage> told_in_words(const std::vector<ChatMessage>& given, const std::vector<ChatTool>& tools) {
  std::vector<ChatMessage> messages;
  bool was_result = false;
  for (ChatMessage m : given) {
    for (const ToolCall& call : m.calls)
      m.content += fmt::format("{}{}\n{{\"name\": {}, \"arguments\": {}}}\n{}", m.content.empty() ? "" : "\n",
                               kCallOpen, Json(call.name).dump(), call.arguments, kCallClose);
    m.calls.clear();
    const bool is_result = m.role == "tool";
    if (is_result) m.role = "user", m.content = "<tool_response>\n" + m.content + "\n</tool_response>";
    if (is_result && was_result)
      messages.back().content += "\n" + m.content;
    else
      messages.push_back(std::move(m));
    was_result = is_result;
  }
  if (tools.empty()) return messages;
  std::string lines;
  for (const ChatTool& tool : tools) lines += (lines.empty() ? "" : "\n") + tool.function.dump();
  const std::string words = fmt::format(fmt::runtime(kToolPrompt), lines);
  if (messages.front().role == "system" || messages.front().role == "developer")
    messages.front().content += "\n\n" + words;
  else
    messages.insert(messages.begin(), {"system", words, {}, {}});
  return messages;
}

}  // namespace

ChatPrompts::ChatPrompts(Tokenizer tokenizer) : chat_(std::move(tokenizer), kTemplateLimits) {
  if (!can_chat()) return;
  knows_developer_ = chat_.source().find("developer") != std::string::npos;
  try_tools();
}

void ChatPrompts::try_tools() {
  const std::string name = "probe_of_a_tool", result = "probe_of_a_result";
  const Json tools = {
      {{"type", "function"},
       {"function",
        {{"name", name}, {"description", "-"}, {"parameters", {{"type", "object"}, {"properties", Json::object()}}}}}}};
  const std::vector<ChatMessage> asked = {{"user", "?", {}, {}}};
  std::vector<ChatMessage> answered = asked;
  answered.push_back({"assistant", "", {{"call_00001", name, "{\"x\": 1}"}}, {}});
  answered.push_back({"tool", result, {}, "call_00001"});
  try {
    const std::string with_tools = joined(chat_.render(messages_for_template(asked, false), {.tools = tools}));
    const std::string with_call = joined(chat_.render(messages_for_template(answered, false)));
    if (with_tools.find(name) == std::string::npos || with_call.find(result) == std::string::npos) return;
    const size_t call = with_call.find("\"name\": \"" + name + "\"");
    if (call == std::string::npos) return;  // a form of its own
    const std::string_view before = std::string_view(with_call).substr(0, call);
    const bool is_tagged = before.find(kCallOpen) != std::string_view::npos;
    // Llama writes the call as the whole answer; anything between a marker and the brace is another's way.
    const bool is_bare = with_call.find("\"parameters\"", call) != std::string::npos;
    if (!is_tagged && !is_bare) return;
    calls_ = is_tagged ? AnswerForm::Calls::tagged : AnswerForm::Calls::bare;
    knows_tools_ = true;
  } catch (const Error&) {}
}

ChatPrompts::Prompt ChatPrompts::prompt(const ChatRequest& request, bool is_held) const {
  if (!can_chat())
    throw ApiError(400, "[chat] the model has no chat template: it was not trained to chat", "model",
                   "unsupported_model");
  const bool calls = request.tool_choice != ChatRequest::Choice::none;
  std::vector<ChatTool> told;
  Json tools;
  if (calls)
    for (const ChatTool& tool : request.tools) {
      told.push_back(tool);
      tools.push_back({{"type", "function"}, {"function", tool.function}});
    }
  const Json messages =
      messages_for_template(knows_tools_ ? request.messages : told_in_words(request.messages, told), knows_developer_);
  std::vector<TextPiece> pieces;
  try {
    pieces = chat_.render(messages, {.tools = knows_tools_ ? tools : Json(),
                                     .enable_thinking = is_held ? std::optional(false) : request.thinks});
  } catch (const Error& error) { throw ApiError(400, error.what(), "messages", "invalid_value"); }

  Prompt prompt;
  prompt.form.may_think = chat_.may_think();
  if (calls) {
    prompt.form.calls = calls_;
    for (const ChatTool& tool : request.tools) prompt.form.tools.push_back(tool.name);
  }
  const bool is_thought_open = chat_.opens_thought(pieces);
  if (is_held) {
    std::string more = is_thought_open ? std::string(kThinkClose) + "\n\n" : "";
    if (request.must_call()) {
      prompt.form.begins_in_call = true;
      if (calls_ == AnswerForm::Calls::tagged) more += std::string(kCallOpen) + "\n";
    }
    if (!more.empty()) pieces.push_back({more, true});
    prompt.form.may_think = false, prompt.form.begins_with_call = true;
  } else {
    prompt.form.begins_in_thought = is_thought_open;
  }
  prompt.tokens = chat_.tokenizer().encode(pieces);
  return prompt;
}

}  // namespace fude
