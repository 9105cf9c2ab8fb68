// Adapters as the engine keeps them: by name, apart in the prefix tree, alive while something runs with them.
#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "infer/engine_thread.h"
#include "infer/generate.h"
#include "infer/score.h"
#include "tests/support/adapter_case.h"
#include "tests/support/engine_case.h"

namespace fude {
namespace {

class AdapterTest : public testing::Test {
 protected:
  AdapterTest() : model(device, small_config("llama")) { model.initialise(3); }
  static int64_t cached(Engine& engine, const std::vector<int32_t>& prompt, const std::string& adapter) {
    return generate(engine, {.prompt = prompt, .max_tokens = 1, .adapter = adapter}).cached_tokens;
  }
  static std::vector<int32_t> answer(Engine& engine, const std::string& adapter) {
    HeardRequest heard;
    engine.submit(request(adapter), heard.events());
    engine.run();
    return heard.choices.at(0).ids();
  }
  static Request request(const std::string& adapter) {
    return {.prompt = random_tokens(40, 1), .sampling = {.temperature = 0}, .max_tokens = 30, .adapter = adapter};
  }

  Device device{2};
  Transformer model;
};

TEST_F(AdapterTest, ARequestNamesOneThatIsThere) {
  Engine engine(model, default_kernels());
  const auto refuses = [&](const std::string& name, const std::string& words) {
    try {
      engine.submit(request(name), {});
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  refuses("one", "none is loaded");
  engine.adapters().put("one", random_adapter(model, 1));
  engine.adapters().put("two", random_adapter(model, 2));
  refuses("three", "one, two, got three");
  EXPECT_EQ(engine.adapters().names(), (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(engine.adapters().remove("one"));
  EXPECT_FALSE(engine.adapters().remove("one"));
  refuses("one", "two, got one");
  EXPECT_THROW(engine.adapters().put("", random_adapter(model, 1)), Error);
  EXPECT_THROW(engine.adapters().put("none", nullptr), Error);
  EXPECT_THROW(engine.adapters().load("none", "/nowhere"), Error);
  EXPECT_EQ(engine.adapters().names(), std::vector<std::string>{"two"});
  // Made for another model of the same shape: its weights are not these.
  Transformer other(device, model.config());
  EXPECT_THROW(engine.adapters().put("other", random_adapter(other, 1)), Error);
  const LoraPair embedding = random_pairs(other, 1).back();
  EXPECT_THROW(engine.adapters().put("other", make_adapter(other, "random", {embedding})), Error);
  engine.adapters().put("two", make_adapter(model, "random", {embedding}));
}

// Pages are shared within an adapter, and not across: neither with another, nor without one, nor with what comes under
// the same name later.
TEST_F(AdapterTest, PagesStayApart) {
  Engine engine(model, default_kernels(), {.cache_tokens = 4000});
  engine.adapters().put("one", random_adapter(model, 1));
  engine.adapters().put("two", random_adapter(model, 1));
  const std::vector<int32_t> prompt = random_tokens(100, 1);
  for (const char* adapter : {"", "one", "two"}) {
    EXPECT_EQ(cached(engine, prompt, adapter), 0) << adapter;
    EXPECT_EQ(cached(engine, prompt, adapter), 99) << adapter;
  }
  engine.adapters().put("one", random_adapter(model, 4));
  EXPECT_EQ(cached(engine, prompt, "one"), 0);
  engine.adapters().remove("one");
  engine.adapters().put("one", random_adapter(model, 4));
  EXPECT_EQ(cached(engine, prompt, "one"), 0);
  EXPECT_EQ(cached(engine, prompt, "two"), 99);
}

TEST_F(AdapterTest, WhatRunsKeepsItsAdapter) {
  Engine engine(model, default_kernels());
  engine.adapters().put("one", random_adapter(model, 1));
  const std::vector<int32_t> first = answer(engine, "one");
  engine.adapters().put("two", random_adapter(model, 2));
  const std::vector<int32_t> second = answer(engine, "two");
  EXPECT_NE(first, second);
  EXPECT_NE(first, answer(engine, ""));
  std::weak_ptr<const Adapter> adapter = engine.adapters().find("one").adapter;
  HeardRequest heard, queued;
  engine.submit(request("one"), heard.events());
  for (int i = 0; i < 5; ++i) engine.step();
  engine.submit(request("one"), queued.events());  // not even looked at when the name's meaning changes
  engine.adapters().put("one", random_adapter(model, 2));
  EXPECT_FALSE(adapter.expired());
  engine.run();
  EXPECT_EQ(heard.choices.at(0).ids(), first);
  EXPECT_EQ(queued.choices.at(0).ids(), first);
  EXPECT_TRUE(adapter.expired());
  EXPECT_EQ(answer(engine, "one"), second);
}

// Names come and go in other threads while the engine runs.
TEST_F(AdapterTest, AnyThreadMayLoad) {
  const std::vector<int32_t> expected = [&] {
    Engine engine(model, default_kernels());
    engine.adapters().put("kept", random_adapter(model, 1));
    return answer(engine, "kept");
  }();
  std::vector<HeardRequest> heard(8);
  {
    EngineThread engine(model, default_kernels());
    engine.adapters().put("kept", random_adapter(model, 1));
    std::atomic<size_t> done{0};
    for (HeardRequest& one : heard) {
      RequestEvents events = one.events();
      events.finish = [&done, finish = events.finish](const Finish& f) { finish(f), ++done; };
      engine.submit(request("kept"), events);
    }
    std::vector<std::thread> others;
    for (int i = 0; i < 3; ++i)
      others.emplace_back([&, i] {
        const std::string name = "name " + std::to_string(i % 2);
        for (uint64_t turn = 0; turn < 20; ++turn) {
          engine.adapters().put(name, random_adapter(model, turn));
          engine.adapters().remove(name);
        }
      });
    for (std::thread& other : others) other.join();
    while (done < heard.size()) std::this_thread::yield();
  }
  for (const HeardRequest& one : heard) EXPECT_EQ(one.choices.at(0).ids(), expected);
}

// What is scored with an adapter has the log-probability that it was sampled with.
TEST_F(AdapterTest, ScoresAreThoseOfTheSampler) {
  const auto adapter = random_adapter(model, 1);
  Engine engine(model, default_kernels());
  engine.adapters().put("one", adapter);
  std::vector<int32_t> tokens = random_tokens(9, 1);
  std::vector<float> said;
  generate(engine, {.prompt = tokens, .sampling = {.seed = 4}, .max_tokens = 40, .adapter = "one"},
           [&](const AnswerToken& token) {
             tokens.push_back(token.sampled.token);
             said.push_back(token.sampled.logprob);
             return true;
           });
  const std::vector<float> scores = score(model, default_kernels(), tokens, adapter);
  EXPECT_EQ(std::vector<float>(scores.end() - 40, scores.end()), said);
  EXPECT_NE(score(model, default_kernels(), tokens), scores);
}

}  // namespace
}  // namespace fude
