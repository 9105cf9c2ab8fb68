#include "train/export_run.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "data/shard_writer.h"
#include "model/load.h"

namespace fude {
namespace {

class Letters : public DocumentSource {
 public:
  std::optional<Document> next() override {
    if (at_ >= 30) return std::nullopt;
    std::string text;
    for (int64_t i = 0; i < 3 + at_ % 17; ++i) text += char('a' + (at_ * 3 + i) % 20);
    ++at_;
    return Document{.text = text, .file = "letters", .line = at_};
  }
  Json position() const override { return at_; }
  void seek(const Json& position) override { at_ = position.get<int64_t>(); }
  std::string identity() const override { return "letters"; }
  Json report() const override { return {}; }
  uint64_t bytes_done() const override { return uint64_t(at_); }
  uint64_t bytes_total() const override { return 30; }

 private:
  int64_t at_ = 0;
};

// The written run is the one that training would take: the loader's batches, the schedule's rates, the model's weights.
TEST(ExportRun, WritesWhatTrainingWouldTake) {
  const std::string root = testing::TempDir() + "/fude_export_run";
  std::filesystem::remove_all(root);
  Letters documents;
  write_shards(documents,
               [](std::string_view text, std::vector<int32_t>& out) {
                 for (char c : text) out.push_back(c - 'a');
               },
               {.folder = root + "/shards", .vocabulary = 24, .tokenizer_hash = std::string(32, '0')});
  const auto set = std::make_shared<const ShardSet>(root + "/shards");
  const LoaderOptions loading{
      .packing = {.row_tokens = 16, .open_rows = 4}, .end_of_text = 23, .bytes_of_token = std::vector<uint16_t>(24, 1)};
  const std::vector<ValidationRows> validation = {{"a", set, loading, 5}, {"b", set, loading, 2}};
  ModelConfig config;
  config.vocabulary = 24, config.width = 32, config.layers = 1, config.heads = 2, config.kv_heads = 1;
  config.head_size = 16, config.feed_forward = 40, config.context = 16;
  Device device(1);
  Transformer model(device, config);
  model.initialise(3);
  TrainerOptions options;
  options.schedule = {.learning_rate = 1e-2, .steps = 4, .warmup_steps = 2};
  options.rows_per_block = 3;
  Loader loader(Mixture({{set, 1.0}}, 5), loading), again(Mixture({{set, 1.0}}, 5), loading);
  LoadedBatches batches(loader, 2, 3);
  export_run(root + "/run", model, batches, validation, options);

  const std::string bytes = read_file(root + "/run/order.bin", 1 << 20);
  std::vector<int32_t> words(bytes.size() / 4);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  size_t at = 0;
  const auto take = [&](size_t count) {
    std::vector<int32_t> part(words.begin() + int64_t(at), words.begin() + int64_t(at + count));
    at += count;
    return part;
  };
  for (int64_t step = 0; step < 4; ++step) {
    const TokenBlock first = again.next(3), second = again.next(3);
    const size_t n = size_t(words[at]), sequences = size_t(words[at + 1]);
    at += 2;
    const auto both = [](std::vector<int32_t> a, const std::vector<int32_t>& b) {
      a.insert(a.end(), b.begin(), b.end());
      return a;
    };
    EXPECT_EQ(take(n), both(first.tokens_N, second.tokens_N));
    EXPECT_EQ(take(n), both(first.targets_N, second.targets_N));
    EXPECT_EQ(take(n), both(first.positions_N, second.positions_N));
    const auto starts = take(sequences + 1);
    EXPECT_EQ(int64_t(sequences), first.sequences() + second.sequences());
    EXPECT_EQ(starts.front(), 0);
    EXPECT_EQ(starts.back(), int32_t(n));
    EXPECT_TRUE(std::is_sorted(starts.begin(), starts.end()));
  }
  EXPECT_EQ(at, words.size());

  const Json replica = parse_json(read_file(root + "/run/replica.json", 1 << 20), "replica.json");
  ASSERT_EQ(replica["rates"].size(), 4u);
  for (int64_t step = 0; step < 4; ++step)
    EXPECT_EQ(replica["rates"][size_t(step)].get<float>(), float(options.schedule.at(step)));
  ASSERT_EQ(replica["validation"].size(), 2u);
  for (const ValidationRows& rows : validation) {
    const Json& entry = replica["validation"][rows.name()];
    EXPECT_EQ(entry["bytes"].get<int64_t>(), rows.block(0, rows.rows()).target_bytes);
    EXPECT_TRUE(file_exists(root + "/run/" + entry["file"].get<std::string>()));
  }
  const auto copy = load_model(device, root + "/run/model");
  for (size_t i = 0; i < model.parameters().size(); ++i)
    EXPECT_EQ(std::memcmp(copy->parameters()[i]->values().raw(), model.parameters()[i]->values().raw(),
                          size_t(model.parameters()[i]->values().bytes())),
              0);

  options.optimizer.uses_muon = [](const Parameter&) { return true; };
  EXPECT_THROW(export_run(root + "/muon", model, batches, {}, options), Error);
}

}  // namespace
}  // namespace fude
