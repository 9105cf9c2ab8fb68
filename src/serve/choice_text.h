// One choice of an answer from its tokens to its parts: characters are whole, stop strings never show, markers are
// read.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "infer/request.h"
#include "infer/stop.h"
#include "serve/answer_reader.h"
#include "text/text_stream.h"

namespace fude {

class ChoiceText {
 public:
  // `tokenizer` must outlive it.
  ChoiceText(const Tokenizer& tokenizer, std::vector<std::string> stops, AnswerForm form, bool keeps_logprobs)
      : tokenizer_(tokenizer),
        stream_(tokenizer),
        stop_(std::move(stops)),
        reader_(std::move(form)),
        keeps_logprobs_(keeps_logprobs) {}

  // What has become certain: parts, and the log-probabilities of tokens whose text has (those of a stop string never).
  struct Delta {
    std::vector<AnswerPart> parts;
    std::vector<AnswerToken> tokens;
  };
  void add(const AnswerToken& token, Delta& delta);
  void finish(Delta& delta);
  // A stop string has come, or the only call that may: what follows counts no more.
  bool is_stopped() const { return stop_.matched() || reader_.is_done(); }
  // At the end: it broke off inside a call.
  bool is_in_call() const { return reader_.is_in_arguments(); }
  int64_t tokens() const { return tokens_; }
  int64_t reasoning_tokens() const { return reasoning_tokens_; }

 private:
  void give(const std::string& certain, Delta& delta);

  const Tokenizer& tokenizer_;
  TextStream stream_;
  StopMatcher stop_;
  AnswerReader reader_;
  bool keeps_logprobs_;
  struct Pending {
    AnswerToken token;
    size_t begin;  // of its text, in bytes from the beginning
  };
  std::deque<Pending> pending_;
  size_t read_ = 0, certain_ = 0;  // bytes of text
  int64_t tokens_ = 0, reasoning_tokens_ = 0;
};

}  // namespace fude
