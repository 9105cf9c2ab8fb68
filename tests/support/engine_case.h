// What tests of the engine share: requests on a small model, and what was heard of them.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"
#include "infer/engine.h"
#include "model/load.h"

namespace fude {

// A family's tiny golden with more positions, windows longer than a block of keys, and an MLP whose width fills no
// panel.
inline ModelConfig small_config(const std::string& family) {
  ModelConfig c = read_config(FUDE_SOURCE_DIR "/tests/goldens/" + family);
  c.vocabulary = 300, c.feed_forward = 72, c.context = 700;
  if (c.window > 0) c.window = 270;
  return c;
}

inline std::vector<int32_t> random_tokens(int64_t size, uint64_t stream) {
  Random random{11, stream};
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < size; ++i) tokens.push_back(int32_t(random.below(300)));
  return tokens;
}

// One choice of a request as it came.
struct Heard {
  std::vector<AnswerToken> tokens;
  std::vector<Finish> finishes;  // one, in the end

  std::vector<int32_t> ids() const {
    std::vector<int32_t> all;
    for (const AnswerToken& token : tokens) all.push_back(token.sampled.token);
    return all;
  }
  FinishReason reason() const { return finishes.at(0).reason; }
  // Equal if every bit is.
  bool operator==(const Heard& other) const {
    const auto parts = [](const AnswerToken& t) {
      return std::tuple(t.choice, t.sampled.token, t.sampled.logprob, t.sampled.sampled_logprob, t.top);
    };
    return finishes.size() == other.finishes.size() && finishes.at(0).reason == other.finishes.at(0).reason &&
           std::equal(tokens.begin(), tokens.end(), other.tokens.begin(), other.tokens.end(),
                      [&](const auto& a, const auto& b) { return parts(a) == parts(b); });
  }
};

struct HeardRequest {
  std::map<int64_t, Heard> choices;
  std::vector<std::vector<PromptToken>> prompt_tokens;

  RequestEvents events() {
    return {.token =
                [this](const AnswerToken& token) {
                  choices[token.choice].tokens.push_back(token);
                  return true;
                },
            .prompt_tokens = [this](const std::vector<PromptToken>& tokens) { prompt_tokens.push_back(tokens); },
            .finish = [this](const Finish& finish) { choices[finish.choice].finishes.push_back(finish); }};
  }
};

// The choices of each request, all handed in at once.
inline std::vector<HeardRequest> run_together(Engine& engine, const std::vector<Request>& requests) {
  std::vector<HeardRequest> heard(requests.size());
  for (size_t i = 0; i < requests.size(); ++i)
    EXPECT_TRUE(engine.submit(requests[i], heard[i].events()).is_accepted()) << i;
  engine.run();
  return heard;
}

// Each request on an engine of its own, plainly: the answers that every other way of running must give.
inline std::vector<HeardRequest> run_alone(const Transformer& model, const std::vector<Request>& requests,
                                           DType kv = DType::f32) {
  std::vector<HeardRequest> heard;
  for (Request request : requests) {
    request.may_speculate = false;
    Engine engine(model, default_kernels(), {.kv = kv, .shares_prefixes = false});
    heard.push_back(run_together(engine, {request}).front());
  }
  return heard;
}

inline void expect_same_answers(const std::vector<HeardRequest>& got, const std::vector<HeardRequest>& expected,
                                const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].choices, expected[i].choices) << what << ", request " << i;
    EXPECT_EQ(got[i].prompt_tokens, expected[i].prompt_tokens) << what << ", request " << i;
  }
}

// Leaves a choice at every fifth token. It foresees those up to there, and the next as if it were always the same.
class Dictation : public TokenMask {
 public:
  void apply(std::span<float> logits_V) override {
    if (is_free(step_)) return;
    for (size_t token = 0; token < logits_V.size(); ++token)
      if (int32_t(token) != at(step_)) logits_V[token] = -INFINITY;
  }
  void accept(int32_t) override { ++step_; }
  std::vector<int32_t> foreseen(int64_t most) override {
    EXPECT_GT(most, 0);
    std::vector<int32_t> tokens;
    for (int64_t step = step_; int64_t(tokens.size()) < most; ++step) {
      tokens.push_back(at(step));
      if (is_free(step)) break;
    }
    return tokens;
  }

 private:
  static bool is_free(int64_t step) { return step % 5 == 0; }
  static int32_t at(int64_t step) { return is_free(step) ? 1 : int32_t(step % 90); }
  int64_t step_ = 0;
};

// Requests of every kind: short and long prompts, greedy and drawn, truncated and penalised, several choices.
inline std::vector<Request> mixed_requests() {
  std::vector<Request> requests;
  const std::vector<int64_t> sizes = {1, 5, 31, 32, 33, 64, 90, 200, 301};
  for (size_t i = 0; i < sizes.size(); ++i) {
    Request request{.prompt = random_tokens(sizes[i], i), .max_tokens = 12 + 5 * int64_t(i)};
    request.sampling = {.temperature = i % 3 == 0 ? 0.0 : 0.9, .seed = 100 + i};
    if (i % 4 == 1) request.sampling.top_p = 0.8;
    if (i % 4 == 2) request.sampling.top_k = 20, request.sampling.min_p = 0.01;
    if (i % 5 == 3) request.sampling.frequency_penalty = 0.5, request.sampling.repetition_penalty = 1.1;
    if (i == 4) request.choices = 3;
    if (i % 2 == 0) request.top_logprobs = 3;
    request.prompt_logprobs_from = i % 3 == 1 ? 1 + i % 5 : 0;
    request.priority = int64_t(i % 2);
    requests.push_back(request);
  }
  // A text of seven words that repeats itself, answered with them at random: what it leads to expect is mostly wrong.
  Request repeating{.sampling = {.temperature = 1, .seed = 7}, .max_tokens = 30};
  for (int32_t i = 0; i < 40; ++i) repeating.prompt.push_back(i % 7);
  for (int32_t i = 0; i < 7; ++i) repeating.sampling.logit_bias.push_back({i, 8.0});
  requests.push_back(repeating);
  return requests;
}

}  // namespace fude
