// One chat completion under way, between the engine's thread and the server's.
//
// The engine's thread puts tokens into a bounded queue and goes on; all that is made of them (text, parts, JSON) is the
// server's work, when its client can take it. What came meanwhile goes out as one delta, so a slow client costs no more
// than a fast one. A client that lets the queue fill up is dropped; it will have passed its time to read before.
#pragma once

#include <memory>
#include <mutex>
#include <variant>

#include "infer/engine_thread.h"
#include "reason/choose.h"
#include "serve/answer_judge.h"
#include "serve/chat_writer.h"
#include "serve/http.h"
#include "serve/metrics.h"

namespace fude {

class ChatExchange : public HttpSource, public std::enable_shared_from_this<ChatExchange> {
 public:
  // Engine, tokenizer, metrics and judge must outlive it. `began`: when its request came. A judge is needed if the
  // request asks for a choice by one.
  ChatExchange(EngineThread& engine, const Tokenizer& tokenizer, ServerMetrics& metrics, const ChatRequest& request,
               const std::string& model, const AnswerForm& form, AnswerJudge* judge, double began);
  // Hands the request in. ApiError if the queue is full.
  void submit(Request request);

  bool is_stream() const override { return is_stream_; }
  void start(std::function<void()> wake) override;
  bool take(std::string& bytes) override;
  HttpReply whole() override;
  void cancel() override;
  std::string cancel_with(const ApiError& error) override;

 private:
  using Event = std::variant<AnswerToken, Finish>;
  struct Choice {
    ChoiceText text;
    ChoiceText::Delta delta{};
    ChatMessageOut message{};
    bool is_finished = false, is_told = false;  // told: that its stop string has come
    std::vector<int32_t> tokens{};              // with its end mark, for a judge
    double logprob = 0;                         // of these together
    void keep(const SampledToken& token) { tokens.push_back(token.token), logprob += double(token.logprob); }
  };
  static constexpr size_t kMostEvents = 1 << 17;  // more than a fast engine makes in the time that a reader has

  // The engine's thread.
  bool on_token(const AnswerToken& token);
  void on_finish(const Finish& finish);
  // The server's.
  void take_events(std::string& bytes);
  void use(const Event& event, std::string& bytes);
  void finish(Choice& choice, const Finish& finish, std::string& bytes);
  void count_vote(int64_t index);
  void ask_judge();
  Selection selection() const;
  void write(int64_t index, std::string& bytes);
  void end(std::string& bytes);
  void count();

  EngineThread& engine_;
  ServerMetrics& metrics_;
  const bool is_stream_;
  const size_t wake_at_;  // so many events
  const double began_;
  ChatWriter writer_;
  std::vector<Choice> choices_;
  Usage usage_;
  AnswerJudge* const judge_;  // null: answers are not judged
  const bool is_vote_, is_seeded_;
  const ChooseBy choose_;
  Vote vote_;
  bool is_decided_ = false;  // what is left was cancelled
  bool is_judging_ = false;
  std::vector<int32_t> prompt_;  // for the judge
  std::vector<size_t> ended_;    // choices that came to their end, in order
  int64_t unfinished_;
  std::unique_ptr<ApiError> error_;  // instead of an answer
  RequestId id_ = 0;
  bool has_begun_ = false;
  std::vector<Event> taken_;

  std::mutex mutex_;  // guards what follows
  std::vector<Event> events_;
  std::vector<bool> has_enough_;  // by choice: the next token ends it
  std::function<void()> wake_;
  double first_token_ = 0;
  bool is_full_ = false, is_judged_ = false;
  std::vector<double> scores_;  // of ended_
  std::exception_ptr judge_failure_;
};

}  // namespace fude
