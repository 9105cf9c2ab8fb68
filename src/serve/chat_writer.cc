#include "serve/chat_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <random>

#include "base/json.h"
#include "text/unicode.h"

namespace fude {
namespace {

std::string new_id() {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("{:016x}{:08x}", random(), uint32_t(random()));
}

std::string as_json(const std::string& text) { return Json(text).dump(); }

Json usage_json(const Usage& u) {
  return {{"prompt_tokens", u.prompt},
          {"completion_tokens", u.completion},
          {"total_tokens", u.prompt + u.completion},
          {"prompt_tokens_details", {{"cached_tokens", u.cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", u.reasoning}}}};
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

}  // namespace

ChatWriter::ChatWriter(const Tokenizer& tokenizer, std::string model, const ChatRequest& request)
    : tokenizer_(tokenizer),
      model_(std::move(model)),
      id_("chatcmpl-" + new_id()),
      created_(int64_t(std::time(nullptr))),
      has_logprobs_(request.has_logprobs),
      has_usage_(request.includes_usage) {
  head_ = fmt::format(R"(data: {{"id":"{}","object":"chat.completion.chunk","created":{},"model":{},"choices":[)", id_,
                      created_, as_json(model_));
}

std::string ChatWriter::new_call_id() { return fmt::format("call_{}{:02x}", id_.substr(9, 22), calls_++ & 0xff); }

std::string ChatWriter::event(int64_t choice, const std::string& delta, const std::vector<AnswerToken>* tokens,
                              const char* finish_reason) const {
  std::string out = head_;
  out += fmt::format(R"({{"index":{},"delta":{},"logprobs":)", choice, delta);
  if (has_logprobs_ && tokens != nullptr && !tokens->empty())
    out += R"({"content":[)" + logprobs(*tokens) + R"(],"refusal":null})";
  else
    out += "null";
  out += finish_reason == nullptr ? R"(,"finish_reason":null}])"
                                  : fmt::format(R"(,"finish_reason":"{}"}}])", finish_reason);
  out += has_usage_ ? ",\"usage\":null}\n\n" : "}\n\n";
  return out;
}

std::string ChatWriter::role_event(int64_t choice) const {
  return event(choice, R"({"role":"assistant","content":""})", nullptr, nullptr);
}

std::string ChatWriter::part_event(int64_t choice, const AnswerPart& part, const ToolCall* call, size_t call_index,
                                   const std::vector<AnswerToken>& tokens) const {
  using Kind = AnswerPart::Kind;
  std::string delta;
  if (part.kind == Kind::content) delta = R"({"content":)" + as_json(part.text) + "}";
  if (part.kind == Kind::reasoning) delta = R"({"reasoning_content":)" + as_json(part.text) + "}";
  if (part.kind == Kind::call)
    delta = fmt::format(
        R"({{"tool_calls":[{{"index":{},"id":"{}","type":"function","function":{{"name":{},"arguments":""}}}}]}})",
        call_index, call->id, as_json(part.text));
  if (part.kind == Kind::arguments)
    delta = fmt::format(R"({{"tool_calls":[{{"index":{},"function":{{"arguments":{}}}}}]}})", call_index,
                        as_json(part.text));
  return event(choice, delta, &tokens, nullptr);
}

std::string ChatWriter::tokens_event(int64_t choice, const std::vector<AnswerToken>& tokens) const {
  return event(choice, "{}", &tokens, nullptr);
}

std::string ChatWriter::finish_event(int64_t choice, const std::string& reason) const {
  return event(choice, "{}", nullptr, reason.c_str());
}

std::string ChatWriter::usage_event(const Usage& usage) const {
  return head_ + "],\"usage\":" + usage_json(usage).dump() + "}\n\n";
}

// An object without its closing brace.
void ChatWriter::add_token(std::string& out, int32_t token, float logprob) const {
  const std::string bytes(has_text(tokenizer_, token) ? tokenizer_.bytes_of(token) : std::string_view());
  // What is impossible has a log-probability that JSON can write.
  fmt::format_to(std::back_inserter(out), R"({{"token":{},"logprob":{},"bytes":[)", as_json(replace_invalid(bytes)),
                 std::max(logprob, -9999.0f));
  for (size_t i = 0; i < bytes.size(); ++i)
    fmt::format_to(std::back_inserter(out), "{}{}", i > 0 ? "," : "", int(static_cast<unsigned char>(bytes[i])));
  out += ']';
}

std::string ChatWriter::logprobs(const std::vector<AnswerToken>& tokens) const {
  std::string out;
  for (const AnswerToken& token : tokens) {
    if (!out.empty()) out += ',';
    add_token(out, token.sampled.token, token.sampled.logprob);
    out += R"(,"top_logprobs":[)";
    for (size_t i = 0; i < token.top.size(); ++i) {
      if (i > 0) out += ',';
      add_token(out, token.top[i].token, token.top[i].logprob);
      out += '}';
    }
    out += "]}";
  }
  return out;
}

std::string ChatWriter::whole(const std::vector<ChatMessageOut>& choices, const Usage& usage) const {
  std::string out = fmt::format(R"({{"id":"{}","object":"chat.completion","created":{},"model":{},"choices":[)", id_,
                                created_, as_json(model_));
  for (size_t i = 0; i < choices.size(); ++i) {
    const ChatMessageOut& choice = choices[i];
    Json message = {{"role", "assistant"}, {"content", choice.content}, {"refusal", nullptr}};
    if (!choice.calls.empty() && is_blank(choice.content)) message["content"] = nullptr;
    if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
    for (const ToolCall& call : choice.calls)
      message["tool_calls"].push_back(
          {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    out += fmt::format(R"({}{{"index":{},"message":{},"finish_reason":"{}","logprobs":)", i > 0 ? "," : "", i,
                       message.dump(), choice.finish_reason);
    out += has_logprobs_ ? R"({"content":[)" + choice.logprobs + R"(],"refusal":null}})" : "null}";
  }
  return out + "],\"usage\":" + usage_json(usage).dump() + "}";
}

}  // namespace fude
