#include "infer/engine_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "tests/support/engine_case.h"

namespace fude {
namespace {

// Several clients at once, some of whom leave: everybody hears the end, and what is whole is what it would be alone.
TEST(EngineThread, ServesManyThreads) {
  Device device(2);
  Transformer model(device, small_config("qwen3"));
  model.initialise(3);
  const auto request_of = [](uint64_t client, uint64_t turn) {
    return Request{.prompt = random_tokens(20 + int64_t(10 * client), turn % 2),
                   .sampling = {.temperature = 1, .seed = client * 10 + turn},
                   .max_tokens = 6};
  };
  std::vector<std::vector<HeardRequest>> heard(3, std::vector<HeardRequest>(4));
  {
    EngineThread engine(model, default_kernels(), {.context = 100, .cache_tokens = 200, .chunk = 16});
    std::vector<std::thread> clients;
    for (uint64_t client = 0; client < 3; ++client)
      clients.emplace_back([&, client] {
        std::mutex mutex;
        std::condition_variable ended;
        int64_t ends = 0;
        std::atomic<bool> has_left = false;
        for (uint64_t turn = 0; turn < 4; ++turn) {
          RequestEvents events = heard[client][turn].events();
          events.finish = [&, finish = events.finish](const Finish& end) {
            const std::lock_guard lock(mutex);
            finish(end), ++ends;
            ended.notify_one();
          };
          if (turn == 2)  // nothing more of it comes before it is left
            events.token = [&, token = events.token](const AnswerToken& answer) {
              has_left.wait(false);
              return token(answer);
            };
          const Submission submission = engine.submit(request_of(client, turn), events);
          ASSERT_TRUE(submission.is_accepted());
          if (turn != 2) continue;
          engine.cancel(submission.id);
          has_left = true;
          has_left.notify_one();
        }
        std::unique_lock lock(mutex);
        ended.wait(lock, [&] { return ends == 4; });
      });
    for (std::thread& client : clients) client.join();
  }
  for (uint64_t client = 0; client < 3; ++client)
    for (uint64_t turn = 0; turn < 4; ++turn) {
      const Heard& answer = heard[client][turn].choices.at(0);
      ASSERT_EQ(answer.finishes.size(), 1u);
      EXPECT_EQ(answer.reason(), turn == 2 ? FinishReason::cancelled : FinishReason::length);
      if (turn == 2) continue;
      EXPECT_EQ(answer, run_alone(model, {request_of(client, turn)}).front().choices.at(0));
    }
}

TEST(EngineThread, EndsWithRequestsLeft) {
  Device device(1);
  Transformer model(device, small_config("qwen3"));
  model.initialise(3);
  HeardRequest heard;
  {
    EngineThread engine(model, default_kernels());
    engine.submit({.prompt = random_tokens(300, 1), .max_tokens = 300}, heard.events());
  }
  ASSERT_EQ(heard.choices.at(0).finishes.size(), 1u);
  EXPECT_EQ(heard.choices.at(0).reason(), FinishReason::cancelled);
}

}  // namespace
}  // namespace fude
