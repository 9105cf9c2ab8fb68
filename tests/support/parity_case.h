// What the parity tests of the engine share: requests, and the answers that each has alone. Whatever else an engine
// does, it gives those, with ==.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/engine_case.h"

namespace fude {

class ParityCase {
 protected:
  using Make = std::function<std::unique_ptr<Transformer>(Device&)>;
  using Prepare = std::function<void(Engine&, const Transformer&)>;  // what an engine is given before its requests

  explicit ParityCase(
      Make make, Prepare prepare = [](Engine&, const Transformer&) {})
      : make_(std::move(make)), prepare_(std::move(prepare)), model(make_(device)) {}

  void expect_same(EngineOptions options, const std::string& what) { expect_same_on(*model, std::move(options), what); }

  void expect_same_in_few_pages() {
    expect_same({.context = 384, .chunk = 100}, "few pages");
    EXPECT_GT(last.preemptions, 0);
  }

  void expect_same_on_known_beginnings() {
    Engine engine(*model, default_kernels(), {.cache_tokens = 12000});
    prepare_(engine, *model);
    run_together(engine, requests);
    const int64_t tokens = engine.status().tokens;
    expect_same_answers(run_together(engine, requests), alone, "known");
    EXPECT_LT(engine.status().tokens - tokens, tokens * 2 / 3);
  }

  void expect_same_on_one_thread() {
    Device other(1);
    expect_same_on(*make_(other), {.cache_tokens = 6000}, "one thread");
  }

 private:
  void expect_same_on(const Transformer& model, EngineOptions options, const std::string& what) {
    Engine engine(model, default_kernels(), std::move(options));
    prepare_(engine, model);
    expect_same_answers(run_together(engine, requests), alone, what);
    last = engine.status();
  }

  Make make_;
  Prepare prepare_;

 protected:
  Device device{2};
  std::unique_ptr<Transformer> model;
  std::vector<Request> requests = mixed_requests();
  std::vector<HeardRequest> alone;
  Engine::Status last;
};

}  // namespace fude
