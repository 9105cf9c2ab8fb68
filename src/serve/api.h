// What is served: routes, who may use them, and how a request becomes one of the engine's.
//
// Without a key everybody who reaches the server may use it, so by default nobody but this machine does, and pages of
// other sites in its browsers are kept out by what they must send along: Host and Origin. With a key, all needs it but
// the page itself and /health.
#pragma once

#include <string>

#include "serve/chat_exchange.h"
#include "serve/chat_prompts.h"
#include "serve/constraints.h"
#include "serve/http.h"
#include "serve/metrics.h"

namespace fude {

struct ApiOptions {
  std::string model;             // its id
  std::string key;               // empty: none is needed
  std::string adapter;           // of all requests: its name at the engine
  bool is_local = true;          // the Host of a request has to be this machine
  AnswerJudge* judge = nullptr;  // chooses among answers; none: votes alone can be asked for
  ChatLimits limits;
};

class Api : public HttpHandler {
 public:
  // The engine must outlive it.
  Api(EngineThread& engine, const Tokenizer& tokenizer, ApiOptions options);
  const ChatPrompts& prompts() const { return prompts_; }

  void start(std::function<void()> flush) override {
    if (options_.judge != nullptr) options_.judge->after_jobs(flush);
    engine_.after_steps(std::move(flush));
  }
  bool refuses(const HttpRequest& head, HttpReply& reply) override;
  HttpReply serve(const HttpRequest& request) override;
  void replied(const HttpRequest& request, int status) override;

 private:
  void check_head(const HttpRequest& head) const;
  void check_key(const HttpRequest& head) const;
  void check_place(const HttpRequest& head) const;
  HttpReply reply(const HttpRequest& request);
  HttpReply models(const std::string& path) const;
  HttpReply chat(const HttpRequest& request);
  Request engine_request(const ChatRequest& chat, AnswerForm& form);

  EngineThread& engine_;
  const Tokenizer tokenizer_;
  const ApiOptions options_;
  const int64_t created_;
  ChatPrompts prompts_;
  Constraints constraints_;
  ServerMetrics metrics_;
};

}  // namespace fude
