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

// In quotes. The text is well-formed UTF-8.
void add_json(std::string& out, std::string_view text) {
  out += '"';
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, begin, i - begin);
    begin = i + 1;
    out += '\\';
    if (c == '"' || c == '\\')
      out += c;
    else if (c == '\n')
      out += 'n';
    else
      fmt::format_to(std::back_inserter(out), "u{:04x}", int(c));
  }
  out.append(text, begin);
  out += '"';
}

std::string as_json(std::string_view text) {
  std::string out;
  add_json(out, text);
  return out;
}

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
      has_usage_(request.includes_usage),
      must_call_(request.must_call()) {
  head_ = fmt::format(R"(data: {{"id":"{}","object":"chat.completion.chunk","created":{},"model":{},"choices":[)", id_,
                      created_, as_json(model_));
}

std::string ChatWriter::new_call_id() { return fmt::format("call_{}{:02x}", id_.substr(9, 22), calls_++ & 0xff); }

void ChatWriter::begin_event(std::string& out, int64_t choice) const {
  out += head_;
  if (choice == 0)
    out += R"({"index":0,"delta":{)";
  else
    fmt::format_to(std::back_inserter(out), R"({{"index":{},"delta":{{)", choice);
}

void ChatWriter::end_event(std::string& out, const std::vector<AnswerToken>& tokens, const char* finish_reason) const {
  if (has_logprobs_ && !tokens.empty()) {
    out += R"(},"logprobs":{"content":[)";
    out += logprobs(tokens);
    out += R"(],"refusal":null},"finish_reason":)";
  } else {
    out += R"(},"logprobs":null,"finish_reason":)";
  }
  if (finish_reason == nullptr)
    out += "null";
  else
    add_json(out, finish_reason);
  out += has_usage_ ? "}],\"usage\":null}\n\n" : "}]}\n\n";
}

void ChatWriter::add_role(std::string& out, int64_t choice) const {
  begin_event(out, choice);
  // Where there will be no text, as in a whole reply.
  out += must_call_ ? R"("role":"assistant","content":null)" : R"("role":"assistant","content":"")";
  end_event(out, {}, nullptr);
}

void ChatWriter::add_part(std::string& out, int64_t choice, const AnswerPart& part, const ToolCall* call,
                          size_t call_index, const std::vector<AnswerToken>& tokens) const {
  using Kind = AnswerPart::Kind;
  begin_event(out, choice);
  if (part.kind == Kind::content || part.kind == Kind::reasoning) {
    out += part.kind == Kind::content ? R"("content":)" : R"("reasoning_content":)";
    add_json(out, part.text);
  } else {
    fmt::format_to(std::back_inserter(out), R"("tool_calls":[{{"index":{},)", call_index);
    if (part.kind == Kind::call)
      fmt::format_to(std::back_inserter(out),
                     R"("id":"{}","type":"function","function":{{"name":{},"arguments":""}}}}])", call->id,
                     as_json(part.text));
    else
      fmt::format_to(std::back_inserter(out), R"("function":{{"arguments":{}}}}}])", as_json(part.text));
  }
  end_event(out, tokens, nullptr);
}

void ChatWriter::add_tokens(std::string& out, int64_t choice, const std::vector<AnswerToken>& tokens) const {
  begin_event(out, choice);
  end_event(out, tokens, nullptr);
}

void ChatWriter::add_finish(std::string& out, int64_t choice, const std::string& reason) const {
  begin_event(out, choice);
  end_event(out, {}, reason.c_str());
}

std::string ChatWriter::usage_event(const Usage& usage) const {
  return head_ + "],\"usage\":" + usage_json(usage).dump() + "}\n\n";
}

// An object without its closing brace.
void ChatWriter::add_token(std::string& out, int32_t token, float logprob) const {
  const std::string bytes(tokenizer_.has(token) ? tokenizer_.bytes_of(token) : std::string_view());
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

std::string ChatWriter::whole(const std::vector<ChatMessageOut>& choices, const Usage& usage,
                              const std::vector<Vote::Answer>& ranking) const {
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
  out += "],";
  if (!ranking.empty()) {
    Json votes = Json::array();
    for (const Vote::Answer& answer : ranking)
      votes.push_back({{"answer", answer.key}, {"count", answer.count}, {"weight", answer.weight}});
    out += "\"vote\":" + votes.dump(-1, ' ', false, Json::error_handler_t::replace) + ",";
  }
  return out + "\"usage\":" + usage_json(usage).dump() + "}";
}

}  // namespace fude
