// Reinforcement learning on a task that a tiny model can learn in seconds.
#include "posttrain/grpo.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "tests/support/chat_case.h"
#include "tests/support/engine_case.h"
#include "train/trainer.h"

namespace fude {
namespace {

// Right is an answer that begins with a byte below 128, and ends.
struct Low : Task {
  std::string_view name() const override { return "low"; }
  Example practice(Random& random, Language) const override {
    Example example;
    example.question.prompt = std::string(1 + random.below(5), char('a' + random.below(26)));
    example.question.answer = "x";
    return example;
  }
  int64_t held_out_count() const override { return 0; }
  Example held_out(int64_t) const override { fail("none"); }
  bool verify(const Question&, std::string_view answer) const override {
    return !answer.empty() && static_cast<unsigned char>(answer[0]) < 128;
  }
};

class GrpoTest : public testing::Test {
 protected:
  GrpoTest() : root(testing::TempDir() + "grpo_" + testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(root);
    config = small_config("qwen3");
    config.vocabulary = kChatVocabulary;
    options.questions = 4, options.answers = 4, options.max_tokens = 6, options.block_tokens = 64;
  }

  struct Result {
    std::vector<float> weights;
    std::vector<StepMetrics> steps;
  };
  // Runs until `until` updates are done.
  Result run(const std::string& folder, int64_t steps, int64_t until, int threads = 2) {
    Device device(threads);
    Transformer model(device, config), first(device, config);
    model.initialise(3), first.initialise(3);
    Engine engine(model, default_kernels(), {.cache_tokens = 4096});
    GrpoBatches batches({.model = model,
                         .kernels = default_kernels(),
                         .engine = engine,
                         .chat = chat,
                         .task = task,
                         .reference = &first},
                        options);
    Result result;
    std::atomic<bool> stop{until == 1};
    TrainerOptions training;
    training.folder = root + "/" + folder;
    training.schedule = {.kind = ScheduleKind::constant, .learning_rate = 5e-3, .steps = steps};
    training.optimizer.weight_decay = 0;
    training.save_every = 0, training.watches_spikes = false;
    training.on_step = [&](const StepMetrics& m) {
      result.steps.push_back(m);
      stop = m.step + 1 >= until;
    };
    Trainer trainer(model, default_kernels(), batches, {}, training);
    trainer.run(&stop);
    for (const Parameter* p : model.parameters())
      result.weights.insert(result.weights.end(), p->values().data<float>(), p->values().data<float>() + p->stored());
    return result;
  }
  static double value(const StepMetrics& m, const std::string& name) {
    for (const auto& [known, number] : m.values)
      if (known == name) return number;
    return -1;
  }

  std::string root;
  ModelConfig config;
  const Chat chat{byte_tokenizer()};
  const Low task;
  GrpoOptions options;
};

TEST_F(GrpoTest, LearnsTheTask) {
  options.questions = 8, options.answers = 8;
  const Result result = run("run", 80, 100);
  double first = 0, last = 0;
  for (size_t i = 0; i < 5; ++i) {
    first += value(result.steps[i], "right answers") / 5;
    last += value(result.steps[result.steps.size() - 1 - i], "right answers") / 5;
  }
  EXPECT_LT(first, 0.1);  // few random answers end at all
  EXPECT_GT(last, 0.8);
  for (const StepMetrics& m : result.steps) EXPECT_EQ(value(m, "largest difference of log-probabilities"), 0);
}

// With more updates than answers to one question one of them might have nothing to learn from.
TEST_F(GrpoTest, RefusesWhatMayStandStill) {
  options.minibatches = options.answers + 1;
  EXPECT_THROW(run("parts", 1, 100), Error);
  options.minibatches = 1, options.most_rounds = 0;
  EXPECT_THROW(run("rounds", 1, 100), Error);
}

// Also between two updates of one rollout, with any number of threads.
TEST_F(GrpoTest, ResumedEqualsUninterrupted) {
  options.minibatches = 2, options.epochs = 2, options.policy.kl = 0.05, options.temperature = 0.8;
  const Result whole = run("whole", 10, 100);
  for (int64_t cut : {1, 2, 4, 7}) {
    const std::string folder = "cut" + std::to_string(cut);
    run(folder, 10, cut, 1);
    EXPECT_EQ(run(folder, 10, 100, 3).weights, whole.weights) << "after " << cut;
  }
}

TEST_F(GrpoTest, EverySettingRuns) {
  for (auto normaliser :
       {PolicyOptions::Normaliser::tokens, PolicyOptions::Normaliser::sequences, PolicyOptions::Normaliser::constant})
    for (auto scale : {PolicyOptions::Scale::none, PolicyOptions::Scale::group, PolicyOptions::Scale::batch}) {
      options.policy.normaliser = normaliser, options.policy.scale = scale;
      options.learns_truncated = scale != PolicyOptions::Scale::group, options.overlong_from = 3;
      options.skips_equal_groups = scale == PolicyOptions::Scale::none;
      const Result result = run(fmt::format("{}{}", int(normaliser), int(scale)), 2, 100);
      EXPECT_EQ(result.steps.size(), 2u);
      EXPECT_GT(value(result.steps.front(), "entropy (nats per token)"), 1);
    }
}

// Weights that change behind the sampler's back do not go unnoticed.
TEST_F(GrpoTest, NoticesOtherWeights) {
  Device device(2);
  Transformer model(device, config);
  model.initialise(3);
  Engine engine(model, default_kernels(), {.cache_tokens = 4096});
  GrpoBatches batches({.model = model, .kernels = default_kernels(), .engine = engine, .chat = chat, .task = task},
                      options);
  GradientSum gradients(model, default_kernels(), {});
  const auto step = [&](bool changes) {
    const Batch batch = batches.next();
    Parameter& embedding = *model.parameters().front();
    std::vector<float> row(size_t(embedding.cols()));
    const int32_t token = batch.blocks.front().tokens_N.front();
    embedding.get_rows(token, 1, row.data());
    if (changes) row[0] = std::nextafter(row[0], 1.0f), embedding.set_rows(token, 1, row.data());
    gradients.run(batch.blocks, batch.objective);
    StepMetrics line;
    batches.learned(line);
  };
  step(false);
  EXPECT_THROW(step(true), Error);
}

// A rollout that is interrupted leaves the position as it was.
TEST_F(GrpoTest, InterruptedRolloutIsNone) {
  Device device(1);
  Transformer model(device, config);
  model.initialise(3);
  Engine engine(model, default_kernels(), {.cache_tokens = 4096});
  std::atomic<bool> cancel{true};
  GrpoBatches batches({.model = model, .kernels = default_kernels(), .engine = engine, .chat = chat, .task = task},
                      options, &cancel);
  const Json before = batches.state();
  EXPECT_TRUE(batches.next().blocks.empty());
  EXPECT_EQ(batches.state(), before);
}

TEST_F(GrpoTest, DamagedStateIsAnError) {
  Device device(1);
  Transformer model(device, config);
  model.initialise(3);
  Engine engine(model, default_kernels(), {.cache_tokens = 4096});
  options.minibatches = 2;
  GrpoBatches batches({.model = model, .kernels = default_kernels(), .engine = engine, .chat = chat, .task = task},
                      options);
  batches.next();
  const std::string doctor = batches.state()["doctor"].dump();
  for (const char* text : {R"({"drawn": 1, "next_update": 0, "doctor": {}})", R"({"drawn": -1, "next_update": 0})",
                           R"({"drawn": 1, "next_update": 9})", R"({"drawn": 1, "next_update": 1})",
                           R"({"drawn": 1, "next_update": 1, "answers": [1]})",
                           R"({"drawn": 1, "next_update": 1, "answers": [], "groups": [1, 1], "means": [1,1,1,1]})"}) {
    EXPECT_THROW(batches.restore(parse_json(text, "state"), "state"), Error) << text;
    Json with_doctor = parse_json(text, "state");
    if (!with_doctor.contains("doctor")) with_doctor["doctor"] = parse_json(doctor, "doctor");
    EXPECT_THROW(batches.restore(with_doctor, "state"), Error) << text;
  }
}

}  // namespace
}  // namespace fude
