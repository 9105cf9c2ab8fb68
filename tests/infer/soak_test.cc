// Long runs of the engine, each a command of its own:
//
//   FUDE_SOAK_SECONDS=1800 infer_test --gtest_filter='Soak.*'
//   FUDE_LONG_CONTEXT=131072 [FUDE_LONG_CONTEXT_MODEL=MODEL] [FUDE_LONG_CONTEXT_CHUNK=512]
//     infer_test --gtest_filter='LongContext.*'
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "infer/engine_thread.h"
#include "tests/support/engine_case.h"

namespace fude {
namespace {

int64_t number_from(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::atoll(text);
}

int64_t resident_bytes() {
  int64_t whole = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> whole >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// Clients on threads of their own ask for more than the engine can do, and leave at random: memory is flat, whoever was
// accepted hears each choice's end once, and no page is lost.
TEST(Soak, RandomLoad) {
  const int64_t seconds = number_from("FUDE_SOAK_SECONDS");
  if (seconds == 0) GTEST_SKIP() << "set FUDE_SOAK_SECONDS";
  Device device(1);
  Transformer model(device, small_config("qwen3"));
  model.initialise(3);
  std::atomic<int64_t> accepted{0}, refused{0}, cancelled{0}, choices{0}, ends{0}, tokens{0};
  Engine engine(model, default_kernels(),
                {.context = 320,
                 .cache_tokens = 960,
                 .batch = 8,
                 .chunk = 64,
                 .queued_requests = 12,
                 .ageing_seconds = 0.5,
                 .drafts = 3});
  std::atomic<bool> is_over{false};
  std::thread owner([&] {
    while (engine.wait())
      while (engine.step()) {}
  });
  std::vector<std::thread> clients;
  for (uint64_t client = 0; client < 4; ++client)
    clients.emplace_back([&, client] {
      Random random{21, client, 0};
      std::vector<RequestId> ids;
      while (!is_over) {
        Request request{.prompt = random_tokens(1 + int64_t(random.below(200)), random.below(6)),
                        .sampling = {.temperature = random.below(2) == 0 ? 0.0 : 1.0, .seed = random.below(5)},
                        .max_tokens = int64_t(random.below(100)),
                        .choices = 1 + int64_t(random.below(3)),
                        .priority = int64_t(random.below(3)),
                        .top_logprobs = int64_t(random.below(3)),
                        .prompt_logprobs_from = random.below(4) == 0};
        if (random.below(4) == 0) request.mask = [](int64_t) { return std::make_unique<Dictation>(); };
        const int64_t count = request.choices;
        const Submission submission = engine.submit(std::move(request), {.token =
                                                                             [&](const AnswerToken&) {
                                                                               ++tokens;
                                                                               return true;
                                                                             },
                                                                         .finish = [&](const Finish&) { ++ends; }});
        if (submission.is_accepted()) {
          ++accepted, choices += count;
          ids.push_back(submission.id);
          if (ids.size() > 8) ids.erase(ids.begin());
        } else {
          ++refused;
        }
        if (!ids.empty() && random.below(4) == 0) engine.cancel(ids[size_t(random.below(ids.size()))]), ++cancelled;
        std::this_thread::sleep_for(std::chrono::milliseconds(random.below(20)));
      }
    });
  // Flat from a fifth of the time on: by then every buffer has met its largest step.
  int64_t settled = 0;
  for (int64_t second = 0; second < seconds; ++second) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    if (second == seconds / 5) settled = resident_bytes();
    if (second % 60 == 0)
      std::printf("%5lld s  %lld accepted  %lld refused  %lld cancels  %lld ends  %lld tokens  %.1f MB\n",
                  (long long)second, (long long)accepted, (long long)refused, (long long)cancelled, (long long)ends,
                  (long long)tokens, double(resident_bytes()) / 1e6);
  }
  is_over = true;
  for (std::thread& client : clients) client.join();
  engine.close();
  owner.join();
  engine.run();
  EXPECT_LE(resident_bytes() - settled, int64_t(4) << 20);
  EXPECT_EQ(ends, choices);
  EXPECT_GT(refused, 0);
  const Engine::Status end = engine.status();
  EXPECT_GT(end.preemptions, 0);
  EXPECT_EQ(std::tuple(end.running, end.waiting, end.queued), std::tuple(0, 0, 0));
  EXPECT_EQ(end.free_pages + end.known_pages, end.pages);
  engine.forget();
  EXPECT_EQ(engine.status().free_pages, end.pages);
}

// What was heard, in as many digits as a person compares. Where two runs take hours, they need not follow each other.
std::string digest_of(const HeardRequest& heard) {
  std::string bytes;
  const auto add = [&](const auto& value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
  for (const auto& tokens : heard.prompt_tokens)
    for (const PromptToken& token : tokens) add(token.logprob);
  for (const AnswerToken& token : heard.choices.at(0).tokens)
    add(token.sampled.token), add(token.sampled.logprob), add(token.sampled.sampled_logprob);
  return hash_hex(bytes);
}

// A long prompt in chunks of one size and of another (or of one size alone), on a model from a file if one is named,
// else on two layers of a tiny one: the same answer and log-probabilities. Says how long the prompt took, and its first
// quarter.
TEST(LongContext, ChunksAreEqual) {
  const int64_t size = number_from("FUDE_LONG_CONTEXT");
  if (size == 0) GTEST_SKIP() << "set FUDE_LONG_CONTEXT";
  Device device;
  std::unique_ptr<Transformer> model;
  if (const char* file = std::getenv("FUDE_LONG_CONTEXT_MODEL")) {
    model = load_model(device, file, {.keeps_formats = true});
  } else {
    ModelConfig c = small_config("llama");
    c.context = size + 8, c.layers = 2;  // through the last one go only the rows of which something is said
    model = std::make_unique<Transformer>(device, c);
    model->initialise(3);
  }
  const Request request{.prompt = random_tokens(size, 4),
                        .sampling = {.temperature = 1, .seed = 8},
                        .max_tokens = 8,
                        .prompt_logprobs_from = size - 200};
  std::vector<HeardRequest> heard;
  std::vector<int64_t> chunks = {512, 3000};
  if (const int64_t chunk = number_from("FUDE_LONG_CONTEXT_CHUNK"); chunk > 0) chunks = {chunk};
  for (const int64_t chunk : chunks) {
    Engine engine(*model, default_kernels(), {.context = size + 8, .chunk = chunk});
    heard.emplace_back();
    ASSERT_TRUE(engine.submit(request, heard.back().events()).is_accepted());
    const double began = now_seconds();
    for (const int64_t mark : {size / 4, size}) {
      while (engine.status().tokens < mark && engine.step()) {}
      const double seconds = now_seconds() - began;
      const int64_t tokens = engine.status().tokens;  // whole chunks
      std::printf("chunks of %lld: %lld tokens in %.3f s, %.1f a second\n", (long long)chunk, (long long)tokens,
                  seconds, double(tokens) / seconds);
      std::fflush(stdout);
    }
    engine.run();
    std::printf("chunks of %lld: %s\n", (long long)chunk, digest_of(heard.back()).c_str());
    std::fflush(stdout);
  }
  expect_same_answers({heard.back()}, {heard.front()}, "chunks of another size");
}

}  // namespace
}  // namespace fude
