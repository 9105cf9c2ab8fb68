// What is asked of the engine, and what comes back.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infer/embedding_pool.h"
#include "infer/sampler.h"
#include "infer/token_mask.h"

namespace fude {

// An answer goes on in another process where prompt and answer so far are the prompt, with that choice's seed: what
// follows is the same. But presence and frequency penalties and masks see the new answer alone.
struct Request {
  std::vector<int32_t> prompt;  // at least one token
  SamplingOptions sampling;     // choice i draws with seed + i
  int64_t max_tokens = 256;
  std::vector<int32_t> stop_tokens;  // end the answer; not part of it
  int64_t choices = 1;               // answers to the same prompt, each drawn for itself
  int64_t priority = 0;              // the higher goes first; see EngineOptions::ageing_seconds
  int64_t top_logprobs = 0;          // of the most likely tokens, with each that has a log-probability
  int64_t prompt_logprobs_from = 0;  // log-probabilities of the prompt's tokens from this on, at least 1; 0: none
  std::string adapter;               // its name at the engine; empty: none
  bool may_speculate = true;         // where the engine does; it never changes the answer
  std::function<std::unique_ptr<TokenMask>(int64_t choice)> mask;  // called on the engine's thread; may be empty
  std::optional<EmbeddingOptions> embedding;  // of the prompt, without an answer: max_tokens is 0, choices 1
};

enum class FinishReason { stop, length, context, cancelled, failed };
const char* name_of(FinishReason reason);

struct AnswerToken {
  int64_t choice = 0;
  SampledToken sampled{};
  std::vector<TokenLogprob> top;  // the most likely first, of equals the smaller id
};

// A token of the prompt, after those before it.
struct PromptToken {
  float logprob = 0;
  std::vector<TokenLogprob> top{};
  bool operator==(const PromptToken&) const = default;
};

// The end of one choice.
struct Finish {
  int64_t choice = 0;
  FinishReason reason = FinishReason::stop;
  std::string error;                         // with `failed`
  std::exception_ptr cause;                  // likewise: what was thrown, for a caller to throw again
  int64_t cached_tokens = 0;                 // of the prompt, found in pages when it was first run
  int64_t tokens = 0;                        // of the answer
  std::optional<SampledToken> stop_token{};  // that ended it, drawn like the others
};

// Called on the engine's thread, those of the end on the thread that destroys it, in order; each may be left out. They
// return soon, throw nothing, and do not call the engine.
struct RequestEvents {
  std::function<bool(const AnswerToken&)> token;                       // false ends the choice, reason stop
  std::function<void(const std::vector<PromptToken>&)> prompt_tokens;  // once, all that were asked for
  std::function<void(const std::vector<float>&)> embedding;            // [C]; once
  std::function<void(const Finish&)> finish;                           // once for each choice
};

// Names a request at its engine; never used twice.
using RequestId = uint64_t;

// What came of handing in a request.
struct Submission {
  RequestId id = 0;        // 0: refused, the queue is full; no event will come
  double retry_after = 0;  // if refused: seconds until there may be room
  bool is_accepted() const { return id != 0; }
};

}  // namespace fude
