// The engine's side of the numeric contract, with ==: no feature of it changes a bit of an answer.
#include <gtest/gtest.h>

#include "infer/generate.h"
#include "ops/classifier_loss.h"
#include "tests/support/parity_case.h"

namespace fude {
namespace {

// A family, and what its matrices multiply in.
class EngineParity : public ParityCase, public testing::TestWithParam<std::tuple<const Architecture*, DType>> {
 protected:
  EngineParity()
      : ParityCase([](Device& device) {
          const auto [family, type] = GetParam();
          auto model = std::make_unique<Transformer>(device, small_config(family->family), Precision{type, false});
          model->initialise(3);
          return model;
        }) {
    alone = run_alone(*model, requests);
  }
};

TEST_P(EngineParity, InCompany) { expect_same({.cache_tokens = 4000}, "in company"); }

TEST_P(EngineParity, InChunks) {
  for (int64_t chunk : {3, 50}) expect_same({.cache_tokens = 4000, .chunk = chunk}, fmt::format("chunk {}", chunk));
}

TEST_P(EngineParity, Preempted) { expect_same_in_few_pages(); }

TEST_P(EngineParity, Speculative) {
  expect_same({.cache_tokens = 4000, .drafts = 4}, "speculative");
  EXPECT_GT(last.accepted, 0);
  EXPECT_LT(last.accepted, last.drafted);
}

// A small model that agrees at times, and the model itself, whose guesses are all right.
TEST_P(EngineParity, SpeculativeByAnotherModel) {
  for (const uint64_t seed : {3, 4}) {
    Transformer small(device, small_config("qwen3"));
    small.initialise(seed);
    const Transformer& other = seed == 3 ? *model : small;
    for (const int64_t cache : {4000, 384})
      expect_same({.context = 384, .cache_tokens = cache, .drafts = 4, .draft_model = &other}, "speculative");
    if (seed == 3) { EXPECT_GT(last.accepted, last.drafted * 9 / 10); }
    EXPECT_GT(last.drafted, 0);
  }
}

TEST_P(EngineParity, OnKnownBeginnings) { expect_same_on_known_beginnings(); }

TEST_P(EngineParity, OnOneThread) { expect_same_on_one_thread(); }

// Keys and values in fewer bits are others, but read as they are stored everywhere.
TEST_P(EngineParity, InFewerBits) {
  const std::vector<HeardRequest> exact = alone;
  for (const DType kv : {DType::bf16, DType::i8}) {
    const std::string type(name_of(kv));
    alone = run_alone(*model, requests, kv);
    EXPECT_NE(alone[8].choices, exact[8].choices) << type;
    expect_same({.cache_tokens = 4000, .kv = kv, .chunk = 50, .drafts = 3}, type + ", chunks and drafts");
    expect_same({.context = 384, .kv = kv, .chunk = 3}, type + ", few pages");
    EXPECT_GT(last.preemptions, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EngineParity,
                         testing::Combine(testing::ValuesIn(architectures()), testing::Values(DType::f32, DType::bf16)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)->family) + "_" +
                                  std::string(name_of(std::get<1>(info.param)));
                         });

class EngineQwen3 : public testing::Test {
 protected:
  EngineQwen3() : model(device, small_config("qwen3")) { model.initialise(3); }

  Device device{2};
  Transformer model;
};

// A choice is the answer to a request of its own with its seed.
TEST_F(EngineQwen3, AChoiceIsARequestOfItsOwn) {
  for (int64_t size : {1, 32, 50}) {
    Request request{.prompt = random_tokens(size, 4),
                    .sampling = {.temperature = 1, .seed = 8},
                    .max_tokens = 20,
                    .choices = 3,
                    .prompt_logprobs_from = 1};
    const auto together = run_alone(model, {request}).front();
    EXPECT_EQ(together.prompt_tokens.size(), 1u);
    request.choices = 1;
    for (int64_t choice = 0; choice < 3; ++choice) {
      request.sampling.seed = uint64_t(8 + choice);
      EXPECT_EQ(together.choices.at(choice).ids(), run_alone(model, {request}).front().choices.at(0).ids());
    }
  }
}

// An answer that was interrupted by a restart: what is known so far is the prompt of the rest. On a model of its own
// with another number of threads; tests/cli/restart_test.py has two processes.
TEST_F(EngineQwen3, GoesOnAfterARestart) {
  Device other_device(1);
  Transformer other(other_device, small_config("qwen3"));
  other.initialise(3);
  const auto whole_and_rest = [&](const SamplingOptions& sampling) {
    Request request{.prompt = random_tokens(45, 5), .sampling = sampling, .max_tokens = 30, .top_logprobs = 2};
    Heard whole = run_alone(model, {request}).front().choices.at(0);
    const std::vector<int32_t> ids = whole.ids();
    request.prompt.insert(request.prompt.end(), ids.begin(), ids.begin() + 13);
    request.max_tokens = 17;
    whole.tokens.erase(whole.tokens.begin(), whole.tokens.begin() + 13);
    return std::pair(whole, run_alone(other, {request}).front().choices.at(0));
  };
  for (const double temperature : {0.0, 1.0})
    for (const double repetition : {1.0, 1.5}) {
      const auto [whole, rest] = whole_and_rest({.temperature = temperature,
                                                 .top_p = 0.9,
                                                 .repetition_penalty = repetition,
                                                 .seed = 8,
                                                 .logit_bias = {{7, 3.0}}});
      EXPECT_EQ(rest, whole) << "temperature " << temperature << ", repetition penalty " << repetition;
    }
  // These penalties are for tokens of the answer, and the answer begins anew.
  for (const SamplingOptions& sampling : {SamplingOptions{.temperature = 1, .presence_penalty = 2, .seed = 8},
                                          SamplingOptions{.temperature = 1, .frequency_penalty = 2, .seed = 8}}) {
    const auto [whole, rest] = whole_and_rest(sampling);
    EXPECT_EQ(rest.tokens.at(0).top, whole.tokens.at(0).top);
    EXPECT_NE(rest, whole);
  }
}

// Prompt and answer have the log-probabilities that training computes.
TEST_F(EngineQwen3, LogProbabilitiesAreThoseOfTraining) {
  const Request request{.prompt = random_tokens(80, 6),
                        .sampling = {.temperature = 0.7, .top_p = 0.9, .seed = 8},
                        .max_tokens = 40,
                        .prompt_logprobs_from = 1};
  const HeardRequest heard = run_alone(model, {request}).front();
  std::vector<float> said;
  for (const PromptToken& token : heard.prompt_tokens.at(0)) said.push_back(token.logprob);
  TokenBatch batch{request.prompt, {}, {}};
  for (const AnswerToken& token : heard.choices.at(0).tokens) {
    said.push_back(token.sampled.logprob);
    batch.tokens_N.push_back(token.sampled.token);
  }
  for (int32_t p = 0; p < int32_t(batch.size()); ++p) batch.positions_N.push_back(p);
  batch.sequence_starts = {0, int32_t(batch.size())};
  std::vector<int32_t> targets(batch.tokens_N.begin() + 1, batch.tokens_N.end());
  targets.push_back(-1);
  BatchKv kv;
  const Pass pass{device, default_kernels()};
  std::vector<float> loss = classifier_loss(pass, model.forward(pass, batch, kv), model.classifier(), targets);
  loss.pop_back();
  for (float& nats : loss) nats = -nats;
  EXPECT_EQ(said, loss);
}

// Lets pass the tokens that are `step` more than a multiple of three, a step further each time.
class EveryThird : public TokenMask {
 public:
  void apply(std::span<float> logits_V) override {
    for (size_t token = 0; token < logits_V.size(); ++token)
      if (int64_t(token) % 3 != step_ % 3) logits_V[token] = -INFINITY;
  }
  void accept(int32_t token) override {
    EXPECT_EQ(token % 3, step_ % 3);
    ++step_;
  }

 private:
  int64_t step_ = 0;
};

TEST_F(EngineQwen3, AMaskHoldsForDraftsAsWell) {
  std::vector<Request> requests;
  for (double temperature : {0.0, 1.0})
    requests.push_back({.prompt = {3, 4, 5, 6, 7, 8, 3, 4, 5, 6, 7, 8, 3, 4, 5},
                        .sampling = {.temperature = temperature, .seed = 3},
                        .max_tokens = 60,
                        .choices = 2,
                        .mask = [](int64_t) { return std::make_unique<EveryThird>(); }});
  const auto plain = run_alone(model, requests);
  for (const auto& request : plain)
    for (const auto& [choice, answer] : request.choices)
      for (size_t i = 0; i < answer.tokens.size(); ++i)
        ASSERT_EQ(answer.tokens[i].sampled.token % 3, int32_t(i % 3)) << choice;
  Engine engine(model, default_kernels(), {.drafts = 5});
  expect_same_answers(run_together(engine, requests), plain, "speculative");
  EXPECT_GT(engine.status().drafted, 0);
}

TEST_F(EngineQwen3, WhatAMaskForeseesIsTriedAtOnce) {
  std::vector<Request> requests;
  for (double temperature : {0.0, 1.0})
    for (int64_t tokens : {1, 2, 43})
      requests.push_back({.prompt = {3, 4, 5, 6, 7, 8, 3, 4, 5},
                          .sampling = {.temperature = temperature, .seed = 3},
                          .max_tokens = tokens,
                          .choices = 2,
                          .mask = [](int64_t) { return std::make_unique<Dictation>(); }});
  const auto plain = run_alone(model, requests);
  Transformer small(device, small_config("qwen3"));
  small.initialise(4);
  for (const EngineOptions& options :
       {EngineOptions{}, EngineOptions{.drafts = 6}, EngineOptions{.drafts = 6, .draft_model = &small}}) {
    Engine engine(model, default_kernels(), options);
    expect_same_answers(run_together(engine, requests), plain, fmt::format("{} drafts", options.drafts));
    const Engine::Status status = engine.status();
    EXPECT_LT(status.steps, 15);
    EXPECT_GT(status.accepted, 4 * 43 / 2);
    EXPECT_LT(status.accepted, status.drafted);
  }
}

}  // namespace
}  // namespace fude
