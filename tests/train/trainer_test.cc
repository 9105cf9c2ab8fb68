// A run that is cut off and goes on ends in the bits of a run that is not, also with another number of threads.
#include "train/trainer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "data/shard_writer.h"

namespace fude {
namespace {

namespace fs = std::filesystem;

// Documents that a tiny model can learn something from: counting up from a start.
class CountingDocuments : public DocumentSource {
 public:
  std::optional<Document> next() override {
    if (at_ >= 60) return std::nullopt;
    std::string text;
    for (int64_t i = 0; i < 5 + at_ % 40; ++i) text += char('a' + (at_ + i) % 20);
    ++at_;
    return Document{.text = text, .file = "counting", .line = at_};
  }
  Json position() const override { return at_; }
  void seek(const Json& position) override { at_ = position.get<int64_t>(); }
  std::string identity() const override { return "counting"; }
  Json report() const override { return {}; }
  uint64_t bytes_done() const override { return uint64_t(at_); }
  uint64_t bytes_total() const override { return 60; }

 private:
  int64_t at_ = 0;
};

// As a rollout that is given up: no batch comes, and the position stays.
class InterruptedBatches : public BatchSource {
 public:
  explicit InterruptedBatches(BatchSource& inner) : inner_(inner) {}
  Batch next() override { return {}; }
  Json state() const override { return inner_.state(); }
  void restore(const Json& state, std::string_view where) override { inner_.restore(state, where); }

 private:
  BatchSource& inner_;
};

// With a remark on every step, where there is one to be made.
class RemarkedBatches : public BatchSource {
 public:
  RemarkedBatches(BatchSource& inner, std::string remark) : inner_(inner), remark_(std::move(remark)) {}
  Batch next() override { return inner_.next(); }
  void learned(StepMetrics& line) override {
    if (!remark_.empty()) line.event = remark_;
  }
  Json state() const override { return inner_.state(); }
  void restore(const Json& state, std::string_view where) override { inner_.restore(state, where); }

 private:
  BatchSource& inner_;
  std::string remark_;
};

class TrainerRun : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "/fude_trainer_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    CountingDocuments documents;
    write_shards(documents,
                 [](std::string_view text, std::vector<int32_t>& out) {
                   for (char c : text) out.push_back(c - 'a');
                 },
                 {.folder = root_ + "/shards", .vocabulary = 24, .tokenizer_hash = std::string(32, '0')});
  }

  // Runs until `until` steps are done (the stop comes while that step runs) and gives the weights.
  std::vector<float> run(const std::string& folder, int threads, int64_t until, int64_t identity = 0,
                         DType compute = DType::f32, double learning_rate = 1e-2) {
    ModelConfig config;
    config.vocabulary = 24, config.width = 32, config.layers = 2, config.heads = 2, config.kv_heads = 1,
    config.head_size = 16;
    config.feed_forward = 40, config.context = 32;
    Device device(threads);
    Transformer model(device, config, {compute});
    model.initialise(3);
    auto set = std::make_shared<const ShardSet>(root_ + "/shards");
    Loader loader(Mixture({{set, 1.0}}, 5), {.packing = {.row_tokens = 32, .open_rows = 4}, .end_of_text = 23});
    const LoaderOptions loading{.packing = {.row_tokens = 32, .open_rows = 4}, .end_of_text = 23};
    const std::vector<ValidationRows> validation = {{"first", set, loading, 4}, {"more", set, loading, 6}};
    std::atomic<bool> stop{until == 1};
    TrainerOptions options;
    options.folder = root_ + "/" + folder;
    options.schedule = {.learning_rate = learning_rate, .steps = 12, .warmup_steps = 2};
    options.rows_per_block = 2, options.save_every = 0, options.validate_every = 5;
    options.identity = {{"settings", identity}};
    options.evaluate = [&](StepMetrics& line) {
      line.values.emplace_back("measured", 1);
      return !gives_up;
    };
    if (cannot_save)
      options.save = [](const std::string& into) {
        make_directories(into);
        write_file(into + "/half", "of it");
        fail("no room");
      };
    options.sample = [&] { return std::vector<Sample>{{"threads", std::to_string(threads)}}; };
    options.on_step = [&](const StepMetrics& m) {
      losses.push_back(m.loss);
      stop = m.step + 1 >= until;
    };
    LoadedBatches batches(loader, 2, 2);
    InterruptedBatches none(batches);
    RemarkedBatches all(batches, remark);
    Trainer trainer(model, default_kernels(), has_batches ? static_cast<BatchSource&>(all) : none, validation, options);
    trainer.resume();
    is_done = trainer.run(&stop);
    std::vector<float> weights;
    for (const Parameter* p : model.parameters()) {
      weights.resize(weights.size() + size_t(p->count()));
      p->get_rows(0, p->rows(), weights.data() + weights.size() - p->count());
    }
    return weights;
  }

  std::string root_;
  std::string remark;
  std::vector<double> losses;
  bool cannot_save = false, gives_up = false, is_done = false, has_batches = true;
};

TEST_F(TrainerRun, ResumedEqualsUninterrupted) {
  const auto whole = run("whole", 2, 100);
  EXPECT_LT(losses.back(), 0.8 * losses.front());
  for (int64_t cut : {1, 4, 7, 11}) {
    const std::string folder = "cut" + std::to_string(cut);
    run(folder, 1, cut);
    EXPECT_EQ(run(folder, 3, 100), whole) << "cut after step " << cut;
  }
}

// The report shows the samples of before a restart too.
TEST_F(TrainerRun, SamplesOutliveARestart) {
  run("run", 1, 7);
  run("run", 2, 100);
  const std::string path = root_ + "/run/metrics.jsonl";
  std::vector<std::pair<int64_t, std::string>> samples;
  for (const StepMetrics& m : parse_metrics(read_file(path), path))
    for (const Sample& sample : m.samples) samples.emplace_back(m.step, sample.text);
  EXPECT_EQ(samples, (std::vector<std::pair<int64_t, std::string>>{{5, "1"}, {10, "2"}, {12, "2"}}));
}

// Where nothing was done since the last checkpoint, it is left alone.
TEST_F(TrainerRun, ACheckpointIsWrittenOnce) {
  run("run", 1, 4);
  const std::string checkpoint = root_ + "/run/checkpoint-00000004/state.fude";
  const auto written = fs::last_write_time(checkpoint);
  has_batches = false;
  run("run", 1, 100);
  EXPECT_FALSE(is_done);
  EXPECT_EQ(fs::last_write_time(checkpoint), written);
}

// A measurement that was given up is made when the run goes on, also behind the last step.
TEST_F(TrainerRun, AMeasurementThatWasGivenUpIsMadeLater) {
  gives_up = true;
  for (int i = 0; i < 2; ++i) {
    run("run", 1, 100);
    EXPECT_FALSE(is_done);
    EXPECT_EQ(losses.size(), 4u) << "the fifth step measures";
  }
  gives_up = false;
  run("run", 1, 11);
  gives_up = true;
  run("run", 1, 100);
  EXPECT_FALSE(is_done);
  gives_up = false;
  run("run", 1, 100);
  EXPECT_TRUE(is_done);
  std::vector<int64_t> measured;
  const std::string path = root_ + "/run/metrics.jsonl";
  for (const StepMetrics& m : parse_metrics(read_file(path), path))
    if (!m.values.empty()) measured.push_back(m.step);
  EXPECT_EQ(measured, (std::vector<int64_t>{5, 10, 12}));
}

// Whatever else there is to say of the step.
TEST_F(TrainerRun, LossThatIsNotANumberEndsTheRunAndIsWrittenDown) {
  remark = "all answers are right";
  std::string message;
  try {
    run("wild", 1, 100, 0, DType::f32, 1e30);
  } catch (const Error& error) { message = error.what(); }
  EXPECT_NE(message.find("is not a number; begin again in another --out folder"), std::string::npos) << message;
  const std::string path = root_ + "/wild/metrics.jsonl";
  const StepMetrics last = parse_metrics(read_file(path), path).back();
  EXPECT_NE(last.event.find("is not a number"), std::string::npos) << last.event;
  EXPECT_GT(last.step, 1);
  EXPECT_GT(last.flop, 0);
}

TEST_F(TrainerRun, ResumedEqualsUninterruptedInBf16) {
  const auto whole = run("whole", 2, 100, 0, DType::bf16);
  EXPECT_LT(losses.back(), 0.8 * losses.front());
  run("cut", 1, 5, 0, DType::bf16);
  EXPECT_EQ(run("cut", 3, 100, 0, DType::bf16), whole);
  EXPECT_NE(run("f32", 2, 100), whole);
}

TEST_F(TrainerRun, RefusesTheStateOfAnotherRun) {
  run("run", 1, 3);
  try {
    run("run", 1, 100, /*identity=*/1);
    ADD_FAILURE() << "it went on";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'settings' was 0, now it is 1"), std::string::npos) << error.what();
  }
}

TEST_F(TrainerRun, RefusesAFolderThatAnotherTrainsInto) {
  make_directories(root_ + "/run");
  {
    const FolderLock other(root_ + "/run");
    EXPECT_THROW(run("run", 1, 3), Error);
    EXPECT_FALSE(fs::exists(root_ + "/run/metrics.jsonl"));
  }
  run("run", 1, 3);
  EXPECT_TRUE(fs::exists(root_ + "/run/checkpoint-00000003"));
}

TEST_F(TrainerRun, AResumedRunRemovesWhatAKilledOneWasWriting) {
  const std::string half = root_ + "/run/checkpoint-00000002.partial";  // of a step that is not saved again
  make_directories(half);
  write_file(half + "/state.fude", "half");
  run("run", 1, 3);
  EXPECT_FALSE(fs::exists(half));
  EXPECT_TRUE(fs::exists(root_ + "/run/checkpoint-00000003"));
}

TEST_F(TrainerRun, NothingIsLeftOfACheckpointThatCannotBeWritten) {
  cannot_save = true;
  EXPECT_THROW(run("run", 1, 3), Error);
  EXPECT_FALSE(fs::exists(root_ + "/run/checkpoint-00000003.partial"));
  cannot_save = false;
  run("run", 1, 3);
  EXPECT_TRUE(fs::exists(root_ + "/run/checkpoint-00000003"));
}

TEST_F(TrainerRun, RefusesATruncatedCheckpoint) {
  run("run", 1, 3);
  const std::string state = root_ + "/run/checkpoint-00000003/state.fude";
  fs::resize_file(state, fs::file_size(state) - 1);
  EXPECT_THROW(run("run", 1, 100), Error);
}

}  // namespace
}  // namespace fude
