#include "serve/chat_request.h"

#include <algorithm>
#include <cctype>

#include "base/nearest.h"
#include "serve/json_fields.h"

namespace fude {
namespace {

const std::vector<std::string> kRoles = {"system", "developer", "user", "assistant", "tool"};

std::string text_of_parts(const JsonFields& message, const Json& parts, const ChatLimits& limits) {
  if (parts.size() > limits.parts)
    message.fail("content", fmt::format("'{}' has {} parts, the limit is {}", message.place_of("content"), parts.size(),
                                        limits.parts));
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) {
    const JsonFields part(parts[i], message.item_place("content", i));
    const std::string type = part.string("type", "text");
    if (type != "text" && type != "refusal")
      part.fail("type", "\"text\", as this model reads nothing else,", parts[i].at("type"));
    const Json& words = part.need(type.c_str());
    if (!words.is_string()) part.fail_type(type.c_str(), "a string", words);
    if (i > 0) text += "\n";
    text += words.get_ref<const std::string&>();
  }
  return text;
}

std::vector<ToolCall> calls_of(const JsonFields& message, const ChatLimits& limits) {
  std::vector<ToolCall> calls;
  const Json* list = message.list("tool_calls", limits.calls);
  if (list == nullptr) return calls;
  for (size_t i = 0; i < list->size(); ++i) {
    const JsonFields call((*list)[i], message.item_place("tool_calls", i));
    const JsonFields function(call.need("function"), call.place_of("function"));
    function.need("name");
    calls.push_back({call.string("id"), function.string("name"), function.string("arguments", "{}")});
  }
  return calls;
}

ChatMessage message_of(const Json& json, const std::string& place, const ChatLimits& limits) {
  const JsonFields fields(json, place);
  ChatMessage message;
  const Json& role = fields.need("role");
  message.role = fields.string("role");
  if (std::ranges::find(kRoles, message.role) == kRoles.end())
    fields.fail("role", "system, developer, user, assistant or tool", role);
  message.calls = calls_of(fields, limits);
  if (message.role != "assistant" && !message.calls.empty())
    fields.fail("tool_calls", fmt::format("only an assistant makes calls, '{}' is of role {}", place, message.role));
  if (message.role == "tool") message.call_id = (fields.need("tool_call_id"), fields.string("tool_call_id"));
  const bool is_refusal = message.role == "assistant" && fields.find("refusal") != nullptr;
  const Json* content = message.calls.empty() && !is_refusal ? &fields.need("content") : fields.find("content");
  if (content != nullptr && content->is_array())
    message.content = text_of_parts(fields, *content, limits);
  else if (content != nullptr && content->is_string())
    message.content = content->get<std::string>();
  else if (content != nullptr)
    fields.fail_type("content", "a string or a list of parts", *content);
  if (is_refusal) message.content += (message.content.empty() ? "" : "\n") + fields.string("refusal");
  return message;
}

void read_sampling(const JsonFields& body, ChatRequest& request, const ChatLimits& limits) {
  SamplingOptions& s = request.sampling;
  s.temperature = body.number("temperature", 0, 2, 1);
  s.top_p = body.number("top_p", 0, 1, 1);
  s.top_k = std::max<int64_t>(0, body.integer("top_k", -1, 1 << 20, 0));  // -1 is how some clients say "all"
  s.min_p = body.number("min_p", 0, 1, 0);
  s.repetition_penalty = body.number("repetition_penalty", 0.01, 10, 1);
  s.presence_penalty = body.number("presence_penalty", -2, 2, 0);
  s.frequency_penalty = body.number("frequency_penalty", -2, 2, 0);
  // The least probability that a draw may be cut to is that of the first token; 0 means the same.
  if (s.top_p == 0) s.top_p = 1e-6;
  if (const Json* seed = body.find("seed")) {
    if (!seed->is_number_integer()) body.fail_type("seed", "a whole number", *seed);
    s.seed = seed->get<uint64_t>();
    request.has_seed = true;
  }
  const Json* bias = body.find("logit_bias");
  if (bias == nullptr) return;
  if (!bias->is_object()) body.fail_type("logit_bias", "an object", *bias);
  if (bias->size() > limits.biases)
    body.fail("logit_bias", fmt::format("'logit_bias' has {} entries, the limit is {}", bias->size(), limits.biases));
  for (const auto& [token, value] : bias->items()) {
    const bool is_id = !token.empty() && token.size() < 10 &&
                       std::ranges::all_of(token, [](unsigned char c) { return std::isdigit(c); });
    if (!is_id) body.fail("logit_bias", "token ids as the names of members", Json(token));
    if (!value.is_number()) body.fail_type("logit_bias", "numbers from -100 to 100", value);
    if (!(std::abs(value.get<double>()) <= 100)) body.fail("logit_bias", "numbers from -100 to 100", value);
    s.logit_bias.emplace_back(std::stoi(token), value.get<double>());
  }
}

void read_lengths(const JsonFields& body, ChatRequest& request, const ChatLimits& limits) {
  constexpr int64_t kMost = int64_t(1) << 40;
  for (const char* key : {"max_tokens", "max_completion_tokens"})  // the newer name wins
    if (body.find(key) != nullptr) request.max_tokens = body.integer(key, 1, kMost, 1);
  request.choices = body.integer("n", 1, limits.choices, 1);
  const auto add_stop = [&](const Json& stop) {
    if (!stop.is_string()) body.fail_type("stop", "a string or a list of strings", stop);
    const auto& text = stop.get_ref<const std::string&>();
    if (text.empty() || text.size() > limits.stop_bytes)
      body.fail("stop",
                fmt::format("expected stop strings of 1 to {} bytes, got one of {}", limits.stop_bytes, text.size()));
    request.stops.push_back(text);
  };
  if (const Json* stop = body.find("stop"); stop != nullptr && !stop->is_array())
    add_stop(*stop);
  else if (const Json* list = body.list("stop", limits.stops))
    for (const Json& one : *list) add_stop(one);
  request.has_logprobs = body.boolean("logprobs");
  request.top_logprobs = body.integer("top_logprobs", 0, limits.top_logprobs, 0);
  if (request.top_logprobs > 0 && !request.has_logprobs)
    body.fail("top_logprobs", "'top_logprobs' needs 'logprobs' to be true");
  request.is_stream = body.boolean("stream");
  if (const Json* options = body.find("stream_options"))
    request.includes_usage = JsonFields(*options, "stream_options").boolean("include_usage");
}

// Schemas are kept as they came; the grammar says what it cannot hold.
Json schema_in(const JsonFields& fields, const char* key, const ChatLimits& limits) {
  const Json* schema = fields.find(key);
  if (schema == nullptr) return nullptr;
  if (!schema->is_object()) fields.fail_type(key, "a JSON Schema", *schema);
  const size_t bytes = schema->dump().size();
  if (bytes > limits.schema_bytes)
    fields.fail(key, fmt::format("the schema at '{}' has {} bytes, the limit is {}", fields.place_of(key), bytes,
                                 limits.schema_bytes));
  return *schema;
}

void read_format(const JsonFields& body, ChatRequest& request, const ChatLimits& limits) {
  const Json* json = body.find("response_format");
  if (json == nullptr) return;
  const JsonFields format(*json, "response_format");
  const Json& type = format.need("type");
  if (type == "json_object") {
    request.format = ChatRequest::Format::json_object;
  } else if (type == "json_schema") {
    request.format = ChatRequest::Format::json_schema;
    const JsonFields named(format.need("json_schema"), "response_format.json_schema");
    named.need("schema");
    request.schema = schema_in(named, "schema", limits);
  } else if (type != "text") {
    format.fail("type", "text, json_object or json_schema", type);
  }
}

bool is_tool_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
}

void read_tools(const JsonFields& body, ChatRequest& request, const ChatLimits& limits) {
  if (const Json* list = body.list("tools", limits.tools))
    for (size_t i = 0; i < list->size(); ++i) {
      const JsonFields tool((*list)[i], body.item_place("tools", i));
      if (const std::string type = tool.string("type", "function"); type != "function")
        tool.fail("type", "\"function\"", Json(type));
      const JsonFields function(tool.need("function"), tool.place_of("function"));
      const Json& name = function.need("name");
      if (!name.is_string() || !is_tool_name(name.get_ref<const std::string&>()))
        function.fail("name", "a name of 1 to 64 letters, digits, _ and -", name);
      Json parameters = schema_in(function, "parameters", limits);
      if (parameters.is_null() || parameters.empty())
        parameters = {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
      if (std::ranges::any_of(request.tools, [&](const ChatTool& other) { return name == other.name; }))
        function.fail("name", fmt::format("the tool '{}' comes twice", name.get_ref<const std::string&>()));
      request.tools.push_back({name.get<std::string>(), *tool.find("function"), std::move(parameters)});
    }
  using Choice = ChatRequest::Choice;
  request.tool_choice = request.tools.empty() ? Choice::none : Choice::automatic;
  request.has_parallel_calls = body.boolean("parallel_tool_calls", true);
  const Json* choice = body.find("tool_choice");
  if (choice == nullptr) return;
  if (request.tools.empty() && *choice != "none" && *choice != "auto")
    body.fail("tool_choice", "'tool_choice' needs 'tools'");
  if (choice->is_object()) {
    const JsonFields named(*choice, "tool_choice");
    const JsonFields function(named.need("function"), "tool_choice.function");
    function.need("name");
    request.tool = function.string("name");
    request.tool_choice = Choice::named;
    std::vector<std::string> names;
    for (const ChatTool& tool : request.tools) names.push_back(tool.name);
    if (std::ranges::find(names, request.tool) == names.end())
      body.fail("tool_choice",
                fmt::format("'tool_choice' names no tool of 'tools'{}", did_you_mean(request.tool, names)));
  } else if (*choice == "none") {
    request.tool_choice = Choice::none;
  } else if (*choice == "required") {
    request.tool_choice = Choice::required;
  } else if (*choice != "auto") {
    body.fail("tool_choice", "none, auto, required, or a function", *choice);
  }
}

void read_thinking(const JsonFields& body, ChatRequest& request) {
  if (const std::string effort = body.string("reasoning_effort"); !effort.empty()) request.thinks = effort != "none";
  // Templates run with what they are given, so of all variables that may be sent only this one is passed on.
  if (const Json* kwargs = body.find("chat_template_kwargs"))
    if (const JsonFields fields(*kwargs, "chat_template_kwargs"); fields.find("enable_thinking") != nullptr)
      request.thinks = fields.boolean("enable_thinking");
  if (const Json* reasoning = body.find("reasoning")) {
    const JsonFields fields(*reasoning, "reasoning");
    constexpr int64_t kMost = int64_t(1) << 40;
    if (fields.find("max_tokens") != nullptr) request.budget.most = fields.integer("max_tokens", 0, kMost, 0);
    request.budget.least = fields.integer("min_tokens", 0, request.budget.most.value_or(kMost), 0);
  }
}

void read_vote(const JsonFields& body, ChatRequest& request, const ChatLimits& limits) {
  const std::string choose = body.string("choose", "vote");
  try {
    request.choose = choose_by_of(choose);
  } catch (const Error&) { body.fail("choose", "vote, best or weighted", Json(choose)); }
  if (body.find("vote") == nullptr) {
    if (body.find("choose") != nullptr) body.fail("choose", "'choose' needs 'vote'");
    return;
  }
  request.vote = body.integer("vote", 2, limits.choices, 2);
  if (request.choices != 1) body.fail("vote", "a vote has one result: leave out 'n'");
  if (request.is_stream) body.fail("vote", "the result of a vote is known at its end: it cannot be streamed");
  if (request.tool_choice != ChatRequest::Choice::none)
    body.fail("vote", "there is no vote among calls of tools: leave out 'tools', or say \"tool_choice\": \"none\"");
}

}  // namespace

ChatRequest parse_chat_request(std::string_view text, const ChatLimits& limits) {
  const Json json = [&] {
    try {
      return parse_json(text, "request", {limits.body_bytes, limits.depth, limits.values});
    } catch (const Error& error) { throw ApiError(400, error.what(), "", "invalid_json"); }
  }();
  const JsonFields body(json, "");
  ChatRequest request;
  request.model = body.string("model");
  body.need("messages");
  const Json& messages = *body.list("messages", limits.messages);
  if (messages.empty()) body.fail("messages", "expected at least one message at 'messages', got none");
  for (size_t i = 0; i < messages.size(); ++i)
    request.messages.push_back(message_of(messages[i], body.item_place("messages", i), limits));
  read_sampling(body, request, limits);
  read_lengths(body, request, limits);
  read_format(body, request, limits);
  read_tools(body, request, limits);
  read_thinking(body, request);
  read_vote(body, request, limits);
  return request;
}

}  // namespace fude
