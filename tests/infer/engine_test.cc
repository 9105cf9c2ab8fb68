// What the engine does with requests; that it changes no bit of them is in tests/parity/engine_parity_test.cc.
#include "infer/engine.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "infer/generate.h"
#include "infer/grammar/constraint.h"
#include "infer/grammar/regex.h"
#include "tests/support/engine_case.h"

namespace fude {
namespace {

class EngineTest : public testing::Test {
 protected:
  EngineTest() : model(device, small_config("qwen3")) { model.initialise(3); }

  Device device{2};
  Transformer model;
};

TEST_F(EngineTest, EndsWithAReason) {
  Engine engine(model, default_kernels(), {.context = 50});
  const std::vector<int32_t> prompt = random_tokens(40, 1);
  const auto greedy = [&](int64_t most) {
    return Request{.prompt = prompt, .sampling = {.temperature = 0}, .max_tokens = most};
  };
  const auto all = run_together(engine, {greedy(5), greedy(100), greedy(0)});
  EXPECT_EQ(all[0].choices.at(0).reason(), FinishReason::length);
  EXPECT_EQ(all[0].choices.at(0).tokens.size(), 5u);
  EXPECT_EQ(all[1].choices.at(0).reason(), FinishReason::context);
  EXPECT_EQ(all[1].choices.at(0).tokens.size(), 10u);
  EXPECT_EQ(all[2].choices.at(0).reason(), FinishReason::length);
  EXPECT_TRUE(all[2].choices.at(0).tokens.empty());

  // A stop token is no part of the answer.
  Request stops = greedy(100);
  const std::vector<int32_t> ids = all[1].choices.at(0).ids();
  stops.stop_tokens = {ids[3]};
  const size_t first = size_t(std::find(ids.begin(), ids.end(), ids[3]) - ids.begin());
  const auto stopped = run_together(engine, {stops}).front().choices.at(0);
  EXPECT_EQ(stopped.reason(), FinishReason::stop);
  EXPECT_EQ(stopped.ids(), std::vector<int32_t>(ids.begin(), ids.begin() + int64_t(first)));

  // So ends one whose listener has heard enough.
  int64_t heard = 0;
  const Finish finish = generate(engine, greedy(100), [&](const AnswerToken&) { return ++heard < 2; });
  EXPECT_EQ(finish.reason, FinishReason::stop);
  EXPECT_EQ(finish.tokens, 2);
}

TEST_F(EngineTest, RefusesWhatItCannotServe) {
  Engine engine(model, default_kernels(), {.context = 50});
  const auto refused = [&](Request request) { EXPECT_THROW(engine.submit(std::move(request), {}), Error); };
  refused({.prompt = {}});
  refused({.prompt = random_tokens(50, 1)});
  refused({.prompt = {300}});
  refused({.prompt = {-1}});
  refused({.prompt = {1}, .sampling = {.top_p = 2}});
  refused({.prompt = {1}, .max_tokens = -1});
  refused({.prompt = {1}, .choices = 0});
  refused({.prompt = {1}, .choices = 129});
  refused({.prompt = {1}, .top_logprobs = 301});
  refused({.prompt = {1}, .prompt_logprobs_from = -1});
  refused({.prompt = {1}, .prompt_logprobs_from = 2});
  refused({.prompt = {1}, .sampling = {.logit_bias = {{300, 1.0}}}});
  refused({.prompt = {1}, .sampling = {.logit_bias = {{-1, 1.0}}}});
  EXPECT_THROW(Engine(model, default_kernels(), {.drafts = -1}), Error);
  EXPECT_THROW(Engine(model, default_kernels(), {.context = 701}), Error);
  EXPECT_FALSE(engine.step());
}

TEST_F(EngineTest, SaysThatTheQueueIsFull) {
  Engine engine(model, default_kernels(), {.batch = 1, .queued_requests = 3, .queued_tokens = 100});
  HeardRequest heard;
  const auto submit = [&](int64_t size) {
    return engine.submit({.prompt = random_tokens(size, 1), .max_tokens = 3}, heard.events());
  };
  EXPECT_TRUE(submit(600).is_accepted());  // an empty queue takes any
  const Submission second = submit(1);
  EXPECT_FALSE(second.is_accepted());  // by tokens
  EXPECT_GE(second.retry_after, 1);
  engine.run();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(submit(10).is_accepted());
  EXPECT_FALSE(submit(10).is_accepted());  // by requests
  const RequestId last = submit(10).id;
  EXPECT_EQ(last, 0u);
  engine.step();  // one has begun and left the queue
  EXPECT_EQ(engine.status().queued, 2);
  EXPECT_TRUE(submit(10).is_accepted());
  engine.run();
  EXPECT_EQ(engine.status().queued, 0);
  EXPECT_EQ(heard.choices.at(0).finishes.size(), 5u);
  // Each choice waits with a prompt of its own.
  for (int round = 0; round < 2; ++round) {
    HeardRequest choices;
    const auto submit_choices = [&](int64_t count) {
      return engine.submit({.prompt = random_tokens(10, 1), .max_tokens = 3, .choices = count}, choices.events());
    };
    EXPECT_TRUE(submit(10).is_accepted());
    EXPECT_FALSE(submit_choices(10).is_accepted());
    EXPECT_TRUE(submit_choices(9).is_accepted());
    engine.run();
    EXPECT_TRUE(submit_choices(11).is_accepted());  // an empty queue takes any
    engine.run();
    EXPECT_EQ(engine.status().queued, 0);
  }
}

TEST_F(EngineTest, CancelsAtAnyTime) {
  Engine engine(model, default_kernels(), {.batch = 1});
  HeardRequest waiting, running, other;
  const RequestId first = engine.submit({.prompt = random_tokens(600, 1), .max_tokens = 50}, running.events()).id;
  const RequestId second = engine.submit({.prompt = random_tokens(9, 2), .choices = 2}, waiting.events()).id;
  engine.submit({.prompt = random_tokens(9, 2), .max_tokens = 3}, other.events());
  engine.step();
  engine.cancel(second);
  engine.step();
  EXPECT_EQ(waiting.choices.at(0).reason(), FinishReason::cancelled);
  EXPECT_EQ(waiting.choices.at(1).reason(), FinishReason::cancelled);
  EXPECT_EQ(engine.status().queued, 1);
  for (int i = 0; i < 4; ++i) engine.step();
  engine.cancel(first);
  engine.cancel(first + 1000);  // nobody's
  engine.run();
  EXPECT_EQ(running.choices.at(0).reason(), FinishReason::cancelled);
  EXPECT_GT(running.choices.at(0).tokens.size(), 0u);
  EXPECT_EQ(other.choices.at(0).reason(), FinishReason::length);
  engine.cancel(first);  // twice
  EXPECT_FALSE(engine.step());
}

TEST_F(EngineTest, EndsWhatIsLeftWhenItEnds) {
  HeardRequest running, waiting;
  {
    Engine engine(model, default_kernels(), {.batch = 1});
    engine.submit({.prompt = random_tokens(9, 1)}, running.events());
    engine.step();
    engine.submit({.prompt = random_tokens(9, 2)}, waiting.events());
  }
  EXPECT_EQ(running.choices.at(0).reason(), FinishReason::cancelled);
  EXPECT_EQ(waiting.choices.at(0).reason(), FinishReason::cancelled);
}

// The higher priority first; but whoever has waited for long counts as more.
TEST_F(EngineTest, OrdersByPriorityAndAge) {
  double now = 0;
  Engine engine(model, default_kernels(), {.batch = 1, .ageing_seconds = 10, .clock = [&] { return now; }});
  std::vector<int> order;
  const auto submit = [&](int name, int64_t priority) {
    engine.submit({.prompt = random_tokens(5, uint64_t(name)), .max_tokens = 2, .priority = priority},
                  {.finish = [&order, name](const Finish&) { order.push_back(name); }});
  };
  submit(0, 0), submit(1, 0), submit(2, 1), submit(3, -1);
  engine.run();
  EXPECT_EQ(order, (std::vector<int>{2, 0, 1, 3}));

  order.clear();
  submit(0, 2);
  engine.step();  // it runs
  submit(1, 0);
  engine.step();
  now = 11;
  submit(2, 1);  // younger by more than a priority is worth
  submit(3, 2);
  engine.run();
  EXPECT_EQ(order, (std::vector<int>{0, 3, 1, 2}));
}

// A later request of higher priority takes the pages of one that runs, which then goes on as if nothing had been.
TEST_F(EngineTest, PreemptsTheLastInRank) {
  const std::vector<Request> requests = {
      {.prompt = random_tokens(60, 1), .sampling = {.temperature = 1, .seed = 1}, .max_tokens = 40, .priority = 0},
      {.prompt = random_tokens(60, 2), .sampling = {.temperature = 1, .seed = 2}, .max_tokens = 40, .priority = 5}};
  const auto alone = run_alone(model, requests);
  Engine engine(model, default_kernels(), {.context = 128});  // four pages
  std::vector<HeardRequest> heard(2);
  std::vector<int> order;
  for (size_t i = 0; i < 2; ++i) {
    RequestEvents events = heard[i].events();
    events.finish = [&, i, finish = events.finish](const Finish& end) { finish(end), order.push_back(int(i)); };
    engine.submit(requests[i], events);
    for (int step = 0; step < 3; ++step) engine.step();
  }
  engine.run();
  EXPECT_GT(engine.status().preemptions, 0);
  EXPECT_EQ(order, (std::vector<int>{1, 0}));
  expect_same_answers(heard, alone, "preempted");
}

// What does not fit beside those before it waits, and takes nothing from those behind it or from what is known.
TEST_F(EngineTest, WhatDoesNotFitWaits) {
  Engine engine(model, default_kernels(), {.context = 256});  // eight pages
  generate(engine, {.prompt = random_tokens(60, 1), .max_tokens = 1});
  std::vector<HeardRequest> heard(3);
  engine.submit({.prompt = random_tokens(100, 2), .max_tokens = 20, .priority = 9}, heard[0].events());
  engine.submit({.prompt = random_tokens(20, 3), .max_tokens = 40}, heard[1].events());
  engine.step();
  const int64_t known = engine.status().known_pages;
  engine.submit({.prompt = random_tokens(200, 4), .max_tokens = 1, .priority = 5}, heard[2].events());
  for (int step = 0; step < 10; ++step) engine.step();
  EXPECT_EQ(engine.status().preemptions, 0);
  EXPECT_GE(engine.status().known_pages, known);
  EXPECT_EQ(heard[1].choices.at(0).tokens.size(), 11u);
  engine.run();
  EXPECT_EQ(heard[2].choices.at(0).reason(), FinishReason::length);
  EXPECT_EQ(heard[1].choices.at(0).tokens.size(), 40u);
}

// A guess takes a page that nobody needs, or is not made.
TEST_F(EngineTest, GuessesTakeNoPagesFromAnswers) {
  std::vector<HeardRequest> heard(2);
  Engine engine(model, default_kernels(), {.context = 128});  // four pages
  for (size_t i = 0; i < 2; ++i) {
    Request request{.prompt = random_tokens(59, i), .max_tokens = 30};
    request.mask = [](int64_t) { return std::make_unique<Dictation>(); };
    engine.submit(request, heard[i].events());
  }
  for (int step = 0; step < 3; ++step) engine.step();  // the next five tokens would be a page more
  EXPECT_EQ(engine.status().preemptions, 0);
  EXPECT_GE(heard[1].choices.at(0).tokens.size(), 3u);
}

// While answers are written, a prompt is taken in pieces that keep the steps within their time.
TEST_F(EngineTest, CutsPromptsToTheTimeOfAStep) {
  HeardRequest answer, prompt;
  double now = 0;
  // A clock by which a token takes a millisecond: it is read at the begin and the end of a step.
  Engine* measured = nullptr;
  int64_t before = 0;
  const auto clock = [&] {
    if (measured != nullptr)
      now += 0.001 * double(measured->status().tokens - before), before = measured->status().tokens;
    return now;
  };
  Engine engine(model, default_kernels(), {.chunk = 256, .step_seconds = 0.04, .clock = clock});
  measured = &engine;
  engine.submit({.prompt = random_tokens(5, 1), .max_tokens = 400}, answer.events());
  for (int step = 0; step < 12; ++step) engine.step();
  EXPECT_EQ(answer.choices.at(0).tokens.size(), 12u);
  engine.submit({.prompt = random_tokens(500, 2), .max_tokens = 1}, prompt.events());
  int64_t most = 0;
  for (int step = 0; step < 200 && prompt.choices.empty(); ++step) {
    const int64_t tokens = engine.status().tokens, heard = int64_t(answer.choices.at(0).tokens.size());
    engine.step();
    most = std::max(most, engine.status().tokens - tokens);
    EXPECT_EQ(int64_t(answer.choices.at(0).tokens.size()), heard + 1);  // never left waiting
  }
  EXPECT_EQ(prompt.choices.at(0).reason(), FinishReason::length);
  EXPECT_LE(most, 60);
  EXPECT_GE(most, 17);
}

// Known beginnings are not computed again, within a conversation or between requests, whole pages or not.
TEST_F(EngineTest, KnowsWhatItComputed) {
  Engine engine(model, default_kernels(), {.cache_tokens = 2048});
  std::vector<int32_t> conversation = random_tokens(50, 1);
  for (int turn = 0; turn < 4; ++turn) {
    HeardRequest heard;
    engine.submit({.prompt = conversation, .max_tokens = 11}, heard.events());
    engine.run();
    const Heard& answer = heard.choices.at(0);
    const int64_t known = turn == 0 ? 0 : int64_t(conversation.size()) - 8;  // all but the last token of the answer
    EXPECT_EQ(answer.finishes[0].cached_tokens, known) << turn;
    const auto ids = answer.ids(), more = random_tokens(7, 100 + uint64_t(turn));
    conversation.insert(conversation.end(), ids.begin(), ids.end());
    conversation.insert(conversation.end(), more.begin(), more.end());
  }
  // Another prompt with the same 45 tokens in front; the same for another adapter; after the weights changed.
  std::vector<int32_t> prompt(conversation.begin(), conversation.begin() + 45);
  prompt.push_back(prompt[0] == 7 ? 8 : 7), prompt.push_back(3);
  prompt[45] = conversation[45] == 9 ? 10 : 9;
  EXPECT_EQ(generate(engine, {.prompt = prompt, .max_tokens = 1}).cached_tokens, 45);
  engine.adapters().put("other", std::make_shared<Adapter>());
  EXPECT_EQ(generate(engine, {.prompt = prompt, .max_tokens = 1, .adapter = "other"}).cached_tokens, 0);
  EXPECT_EQ(generate(engine, {.prompt = prompt, .max_tokens = 1, .adapter = "other"}).cached_tokens, 46);
  engine.weights_changed();
  EXPECT_EQ(generate(engine, {.prompt = prompt, .max_tokens = 1}).cached_tokens, 0);
}

// The prompt of several choices is computed once; each then runs its last token itself.
TEST_F(EngineTest, ChoicesShareTheirPrompt) {
  Engine engine(model, default_kernels());
  run_together(engine, {{.prompt = random_tokens(300, 1), .max_tokens = 1, .choices = 4}});
  EXPECT_EQ(engine.status().tokens, 300 + 3);
}

// The small model's pages, which nobody shares, are too few for all: those first in rank are guessed for to the end.
TEST_F(EngineTest, GuessesForThoseWhoHaveRoom) {
  Engine engine(model, default_kernels(), {.cache_tokens = 704, .drafts = 4, .draft_model = &model});
  const Request request{.prompt = random_tokens(300, 1), .max_tokens = 100, .choices = 4};
  const auto heard = run_together(engine, {request});
  EXPECT_GE(engine.status().accepted, 100);
  expect_same_answers(heard, run_alone(model, {request}), "guessed for some");
}

// New weights in the middle of an answer: it goes on with them alone.
TEST_F(EngineTest, ForgetsWhenTheWeightsChange) {
  Engine engine(model, default_kernels());
  HeardRequest heard;
  engine.submit({.prompt = random_tokens(50, 1), .sampling = {.temperature = 0}, .max_tokens = 20}, heard.events());
  for (int step = 0; step < 8; ++step) engine.step();
  const std::vector<int32_t> before = heard.choices.at(0).ids();
  model.initialise(4);
  engine.weights_changed();
  engine.run();
  std::vector<int32_t> prompt = random_tokens(50, 1);
  prompt.insert(prompt.end(), before.begin(), before.end());
  const auto rest = run_alone(model, {{.prompt = prompt, .sampling = {.temperature = 0}, .max_tokens = 12}});
  std::vector<int32_t> expected = before;
  for (int32_t id : rest[0].choices.at(0).ids()) expected.push_back(id);
  EXPECT_EQ(heard.choices.at(0).ids(), expected);
}

// Of a prompt's log-probabilities too none is of the old weights.
TEST_F(EngineTest, ForgetsPromptLogprobsWhenTheWeightsChange) {
  Engine engine(model, default_kernels(), {.chunk = 32});
  HeardRequest heard;
  const Request request{.prompt = random_tokens(100, 1), .max_tokens = 1, .prompt_logprobs_from = 1};
  engine.submit(request, heard.events());
  engine.step(), engine.step();
  model.initialise(4);
  engine.weights_changed();
  engine.run();
  EXPECT_EQ(heard.prompt_tokens, run_alone(model, {request})[0].prompt_tokens);
}

// Damaged weights fail the requests that meet them, with a message, and nothing else.
TEST_F(EngineTest, AFailureIsAnAnswer) {
  Parameter& norm = *model.parameters()[1];
  const float good = 1, bad = NAN;
  norm.set_rows(0, 1, &bad);
  Engine engine(model, default_kernels());
  const auto heard = run_together(engine, {{.prompt = {1, 2}},
                                           {.prompt = {3}, .choices = 2},
                                           {.prompt = {1, 2, 3}, .max_tokens = 0, .prompt_logprobs_from = 1}});
  for (const auto& request : heard)
    for (const auto& [choice, answer] : request.choices) {
      EXPECT_EQ(answer.reason(), FinishReason::failed);
      EXPECT_NE(answer.finishes[0].error.find("NaN"), std::string::npos);
      EXPECT_THROW(std::rethrow_exception(answer.finishes[0].cause), Error);
    }
  EXPECT_EQ(heard[1].choices.size(), 2u);
  norm.set_rows(0, 1, &good);
  engine.weights_changed();
  EXPECT_EQ(generate(engine, {.prompt = {1, 2}, .max_tokens = 3}).reason, FinishReason::length);
}

// What a request brings along may fail before its first step; others go on.
TEST_F(EngineTest, ARequestThatCannotBeginFails) {
  Engine engine(model, default_kernels());
  Request broken{.prompt = {1, 2}, .max_tokens = 3, .choices = 2};
  broken.mask = [](int64_t choice) -> std::unique_ptr<TokenMask> {
    require(choice == 0, "[mask] expected the first choice");
    return nullptr;
  };
  const auto heard = run_together(engine, {broken, {.prompt = {3}, .max_tokens = 3}});
  ASSERT_EQ(heard[0].choices.size(), 2u);
  for (const auto& [choice, answer] : heard[0].choices) {
    EXPECT_EQ(answer.reason(), FinishReason::failed);
    EXPECT_NE(answer.finishes[0].error.find("[mask]"), std::string::npos);
  }
  EXPECT_EQ(heard[1].choices.at(0).reason(), FinishReason::length);
  EXPECT_EQ(engine.status().queued, 0);
}

// So may a mask that takes more than is allowed.
TEST_F(EngineTest, AMaskAtItsLimitFailsItsRequest) {
  std::vector<std::string> tokens(300);  // the first ends an answer
  for (size_t i = 1; i < tokens.size(); ++i)
    for (size_t rest = i; rest > 0; rest /= 3) tokens[i] += char('a' + rest % 3);
  const Constraint constraint(grammar::regex_grammar("[ab]{40}", {.mask_steps = 10}),
                              std::make_shared<grammar::GrammarVocabulary>(tokens, std::vector<TokenId>{0}));
  Engine engine(model, default_kernels());
  Request held{.prompt = {1, 2}, .max_tokens = 3, .stop_tokens = {0}};
  held.mask = constraint.masks();
  const auto heard = run_together(engine, {held, {.prompt = {3}, .max_tokens = 3}});
  EXPECT_EQ(heard[0].choices.at(0).reason(), FinishReason::failed);
  EXPECT_NE(heard[0].choices.at(0).finishes[0].error.find("10 steps for one mask"), std::string::npos);
  EXPECT_EQ(heard[1].choices.at(0).reason(), FinishReason::length);
}

// Random arrivals, cancels, priorities and choices on far too few pages: everybody is answered, cancelled or refused,
// the answers are right, and no page is lost.
TEST_F(EngineTest, Soak) {
  std::vector<std::unique_ptr<HeardRequest>> heard;
  double now = 0;
  Engine engine(model, default_kernels(),
                {.context = 160,
                 .cache_tokens = 320,
                 .batch = 5,
                 .chunk = 24,
                 .queued_requests = 6,
                 .ageing_seconds = 1,
                 .drafts = 3,
                 .clock = [&] { return now += 0.01; }});
  Random random{99};
  std::vector<Request> requests;
  std::vector<RequestId> ids;
  int64_t refused = 0;
  for (int step = 0; step < 600; ++step) {
    if (step < 400 && random.below(3) == 0) {
      Request request{.prompt = random_tokens(1 + int64_t(random.below(120)), random.below(4)),
                      .sampling = {.temperature = random.below(2) == 0 ? 0.0 : 1.0, .seed = random.below(5)},
                      .max_tokens = int64_t(random.below(30)),
                      .choices = 1 + int64_t(random.below(3)),
                      .priority = int64_t(random.below(3)),
                      .prompt_logprobs_from = random.below(4) == 0};
      heard.push_back(std::make_unique<HeardRequest>());
      const Submission submission = engine.submit(request, heard.back()->events());
      if (submission.is_accepted()) {
        requests.push_back(request), ids.push_back(submission.id);
      } else {
        heard.pop_back(), ++refused;
      }
    }
    if (!ids.empty() && random.below(12) == 0) engine.cancel(ids[size_t(random.below(ids.size()))]);
    engine.step();
  }
  engine.run();
  EXPECT_GT(refused, 0);
  EXPECT_GT(engine.status().preemptions, 0);
  EXPECT_GT(engine.status().accepted, 0);
  const Engine::Status end = engine.status();
  EXPECT_EQ(std::tuple(end.running, end.waiting, end.queued), std::tuple(0, 0, 0));
  EXPECT_EQ(end.free_pages + end.known_pages, end.pages);
  engine.forget();
  EXPECT_EQ(engine.status().free_pages, end.pages);

  int64_t whole = 0, cancelled = 0;
  Engine plain(model, default_kernels(), {.context = 160, .shares_prefixes = false});
  for (size_t i = 0; i < requests.size(); ++i) {
    ASSERT_EQ(heard[i]->choices.size(), size_t(requests[i].choices)) << i;
    const HeardRequest alone = run_together(plain, {requests[i]}).front();
    for (const auto& [choice, answer] : heard[i]->choices) {
      ASSERT_EQ(answer.finishes.size(), 1u) << i;
      const Heard& expected = alone.choices.at(choice);
      if (answer.reason() == FinishReason::cancelled) {
        ++cancelled;
        const auto got = answer.ids(), all = expected.ids();
        ASSERT_LE(got.size(), all.size());
        EXPECT_TRUE(std::equal(got.begin(), got.end(), all.begin()));
      } else {
        ++whole;
        EXPECT_EQ(answer, expected) << i;
      }
    }
    // Said with the prompt; who leaves before may not hear them.
    const bool may_be_left_out = std::ranges::any_of(
        heard[i]->choices, [](const auto& choice) { return choice.second.reason() == FinishReason::cancelled; });
    if (!heard[i]->prompt_tokens.empty() || !may_be_left_out) {
      EXPECT_EQ(heard[i]->prompt_tokens, alone.prompt_tokens) << i;
    }
  }
  EXPECT_GT(whole, 30);
  EXPECT_GT(cancelled, 0);
}

}  // namespace
}  // namespace fude
