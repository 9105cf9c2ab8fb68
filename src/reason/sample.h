// Answers to many questions at a time: what voting, grading and reinforcement learning begin with.
//
// All answers run together in one engine; those to one question share the pages of their prompt. Each token carries the
// log-probability it was drawn with, the end mark's too, so that whoever trains on the answers has the sampler's own
// numbers.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "text/chat.h"

namespace fude {

struct SampledAnswer {
  std::vector<SampledToken> tokens;  // the one that ended it included
  FinishReason reason = FinishReason::cancelled;
  bool is_truncated() const { return reason == FinishReason::length || reason == FinishReason::context; }
  bool has_ended() const { return reason == FinishReason::stop; }
  double logprob() const;  // log p(answer | prompt)
  std::vector<int32_t> ids() const;
};

struct SampleOptions {
  SamplingOptions sampling{.temperature = 1.0};  // answer i of question q draws with seed + q · 2³² + i
  int64_t answers = 1;                           // to each question; any number
  int64_t max_tokens = 256;
  std::string adapter{};  // its name at the engine
  // Called on this thread for every answer as it ends; `engine` may be asked to cancel nothing here. False: the other
  // answers to this question are not needed any more.
  std::function<bool(size_t question, int64_t answer, const SampledAnswer&)> on_answer{};
  // Of one answer; may be empty.
  std::function<std::unique_ptr<TokenMask>(size_t question, int64_t answer)> mask{};
  const std::atomic<bool>* cancel = nullptr;
};

// [question][answer]. `stops`: tokens that end an answer. The engine must have nothing else to do. Error if an answer
// fails; a question whose prompt leaves no room is an Error too.
std::vector<std::vector<SampledAnswer>> sample_answers(Engine& engine, const std::vector<std::vector<int32_t>>& prompts,
                                                       const std::vector<int32_t>& stops, const SampleOptions& options);

// An engine for many such answers of at most so many tokens, `batch` at a time, to prompts that are hardly longer than
// `prompt_tokens`: it waits for nobody and takes all at once. Error for a batch above 65,536.
EngineOptions sampling_engine(const ModelConfig& model, int64_t batch, int64_t max_tokens, int64_t prompt_tokens = 512);

// The text of an answer, without its end mark; what is no UTF-8 in it is U+FFFD.
std::string text_of(const Tokenizer& tokenizer, const SampledAnswer& answer);

}  // namespace fude
