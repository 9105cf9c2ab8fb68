// Answers as OpenAI's clients read them: chat.completion objects, and chunks of them as server-sent events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reason/vote.h"
#include "serve/api_error.h"
#include "serve/chat_request.h"
#include "serve/choice_text.h"

namespace fude {

struct Usage {
  int64_t prompt = 0, cached = 0, completion = 0, reasoning = 0;
};

// One choice as a whole.
struct ChatMessageOut {
  std::string content, reasoning;
  std::vector<ToolCall> calls;
  std::string logprobs;  // of its tokens, as ChatWriter::logprobs has them, with commas between them
  std::string finish_reason;
};

class ChatWriter {
 public:
  // `tokenizer` must outlive it.
  ChatWriter(const Tokenizer& tokenizer, std::string model, const ChatRequest& request);

  std::string new_call_id();
  // Add an event, with its empty line behind it. Of a prepared beginning and end: this is done for every token.
  void add_role(std::string& out, int64_t choice) const;
  void add_part(std::string& out, int64_t choice, const AnswerPart& part, const ToolCall* call, size_t call_index,
                const std::vector<AnswerToken>& tokens) const;
  void add_tokens(std::string& out, int64_t choice, const std::vector<AnswerToken>& tokens) const;
  void add_finish(std::string& out, int64_t choice, const std::string& reason) const;
  std::string usage_event(const Usage& usage) const;
  // A JSON object for each, with commas between them: as text, since a tree of them would take ten times the memory.
  std::string logprobs(const std::vector<AnswerToken>& tokens) const;
  static std::string error_event(const ApiError& error) { return "data: " + error.body() + "\n\n"; }
  static std::string done_event() { return "data: [DONE]\n\n"; }
  // `ranking`: of a vote, told beside its result.
  std::string whole(const std::vector<ChatMessageOut>& choices, const Usage& usage,
                    const std::vector<Vote::Answer>& ranking = {}) const;
  bool has_usage() const { return has_usage_; }

 private:
  void begin_event(std::string& out, int64_t choice) const;
  void end_event(std::string& out, const std::vector<AnswerToken>& tokens, const char* finish_reason) const;
  void add_token(std::string& out, int32_t token, float logprob) const;

  const Tokenizer& tokenizer_;
  std::string model_, id_, head_;  // head_: how every chunk begins
  int64_t created_;
  bool has_logprobs_, has_usage_, must_call_;
  uint64_t calls_ = 0;
};

}  // namespace fude
