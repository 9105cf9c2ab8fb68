// Batches of a loader: there is something to learn in each, and a restored source goes on with the same ones.
#include "train/batch_source.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "data/shard_writer.h"

namespace fude {
namespace {

constexpr int64_t kRow = 4;

// Every document fills a row; its end mark, which nothing follows, is in a row with others.
class RowsOfText : public DocumentSource {
 public:
  explicit RowsOfText(std::string text) : text_(std::move(text)) {}
  std::optional<Document> next() override {
    if (at_ >= 40) return std::nullopt;
    ++at_;
    return Document{.text = text_, .file = "rows", .line = at_};
  }
  Json position() const override { return at_; }
  void seek(const Json& position) override { at_ = position.get<int64_t>(); }
  std::string identity() const override { return "rows"; }
  Json report() const override { return {}; }
  uint64_t bytes_done() const override { return uint64_t(at_); }
  uint64_t bytes_total() const override { return 40; }

 private:
  std::string text_;
  int64_t at_ = 0;
};

Loader loader_of_rows(const std::string& text, int32_t unlearned_from) {
  const std::string folder = testing::TempDir() + "/fude_batch_source";
  std::filesystem::remove_all(folder);
  RowsOfText documents(text);
  write_shards(documents,
               [](std::string_view letters, std::vector<int32_t>& out) {
                 for (const char c : letters) out.push_back(c - 'a');
               },
               {.folder = folder, .vocabulary = 24, .tokenizer_hash = std::string(32, '0')});
  return Loader(Mixture({{std::make_shared<const ShardSet>(folder), 1.0}}, 5),
                {.packing = {.row_tokens = kRow, .unlearned_from = unlearned_from}, .end_of_text = 23});
}

TEST(LoadedBatches, PassesOverRowsWithNothingToLearn) {
  Loader loader = loader_of_rows("abcd", 0), again = loader_of_rows("abcd", 0);
  LoadedBatches batches(loader, 1, 1), restored(again, 1, 1);
  for (int i = 0; i < 100; ++i) {
    const Json state = batches.state();
    const Batch batch = batches.next();
    EXPECT_GT(batch.blocks.front().target_count, 0) << i;
    restored.restore(parse_json(state.dump(), "state"), "state");
    EXPECT_EQ(restored.next().blocks.front().tokens_N, batch.blocks.front().tokens_N) << i;
    EXPECT_EQ(restored.state(), batches.state()) << i;
  }
  EXPECT_GT(loader.totals().rows, 100);
}

TEST(LoadedBatches, ATextWithNothingToLearnIsAnError) {
  Loader loader = loader_of_rows("mmmm", 12);
  LoadedBatches batches(loader, 1, 1);
  EXPECT_THROW(batches.next(), Error);
}

}  // namespace
}  // namespace fude
