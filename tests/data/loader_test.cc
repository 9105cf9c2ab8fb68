#include "data/loader.h"

#include "base/json.h"
#include "tests/data/corpus.h"

namespace fude {
namespace {

class LoaderTest : public ::testing::Test {
 protected:
  LoaderTest() {
    for (const uint64_t seed : {1, 2}) {
      Random random{.seed = seed};
      std::vector<std::string> texts;
      for (uint64_t i = 0; i < 20 * seed; ++i) texts.push_back(random_text(random, 60));
      sets_.push_back(make_set(folder_ / ("set" + std::to_string(seed)), texts));
    }
  }
  static LoaderOptions options(bool concat, int64_t row_tokens = 16) {
    return {.packing = {.row_tokens = row_tokens, .open_rows = 4, .concat = concat},
            .end_of_text = 0,
            .bytes_of_token = std::vector<uint16_t>(kByteVocabulary, 1)};
  }
  Loader loader(bool concat, uint64_t seed = 3, int64_t row_tokens = 16) const {
    return Loader(Mixture({{sets_[0], 1}, {sets_[1], 2}}, seed), options(concat, row_tokens));
  }
  static void expect_equal(const TokenBlock& a, const TokenBlock& b) {
    EXPECT_EQ(a.tokens_N, b.tokens_N);
    EXPECT_EQ(a.targets_N, b.targets_N);
    EXPECT_EQ(a.positions_N, b.positions_N);
    EXPECT_EQ(a.sequence_starts_S1, b.sequence_starts_S1);
    EXPECT_EQ(a.padding, b.padding);
    EXPECT_EQ(a.target_bytes, b.target_bytes);
  }

  TemporaryFolder folder_;
  std::vector<std::shared_ptr<const ShardSet>> sets_;
};

TEST_F(LoaderTest, RestoredAtEveryStepItIsTheUninterruptedStream) {
  for (const bool concat : {false, true}) {
    Loader whole = loader(concat);
    std::vector<TokenBlock> blocks;
    std::vector<LoaderState> states;
    for (int step = 0; step < 120; ++step) {
      states.push_back(whole.state());
      blocks.push_back(whole.next(1 + step % 3));
    }
    for (size_t step = 0; step < blocks.size(); ++step) {
      const std::string saved = states[step].to_json().dump();
      const LoaderState read = LoaderState::from_json(parse_json(saved, "state"), "state");
      ASSERT_EQ(read, states[step]);
      Loader resumed = loader(concat);
      resumed.restore(read);
      for (size_t i = step; i < std::min(step + 4, blocks.size()); ++i) {
        expect_equal(resumed.next(1 + int64_t(i) % 3), blocks[i]);
        if (i + 1 < blocks.size()) { ASSERT_EQ(resumed.state(), states[i + 1]); }
      }
    }
  }
}

TEST_F(LoaderTest, GivesEveryDocumentOncePerEpochAndCountsWhatItGave) {
  const int64_t all = sets_[0]->info().tokens + sets_[0]->documents();
  for (const bool concat : {false, true}) {
    Loader one(Mixture({{sets_[0], 1}}, 4), options(concat, 64));
    LoaderTotals totals;
    std::vector<int64_t> counted(kByteVocabulary, 0);
    while (totals.tokens < 20 * all) {
      const TokenBlock block = one.next(2);
      EXPECT_EQ(block.rows, 2);
      EXPECT_EQ(block.tokens() + block.padding, 2 * 64);
      totals.rows += block.rows;
      totals.tokens += block.tokens();
      totals.targets += block.target_count;
      totals.padding += block.padding;
      for (const int32_t token : block.tokens_N) ++counted[size_t(token)];
      if (concat) {
        EXPECT_EQ(block.sequences(), 2);
        EXPECT_EQ(block.padding, 0);
        EXPECT_EQ(block.target_count, block.tokens());
      }
    }
    EXPECT_EQ(totals, one.totals());
    // Every document's end mark, 20 times, but for what waits in the open rows.
    EXPECT_NEAR(double(counted[0]), 20.0 * double(sets_[0]->documents()), 20);
  }
}

// Ten documents of a hundred rows each, every token telling which it is of.
TEST_F(LoaderTest, NeighboursAreSeldomOfOneDocument) {
  std::vector<std::string> texts;
  for (char c = 'a'; c < 'k'; ++c) texts.emplace_back(1600, c);
  const auto set = make_set(folder_ / "long", texts);
  const auto same_document = [&](int64_t waiting_rows) {
    LoaderOptions wanted = options(false);
    wanted.waiting_rows = waiting_rows;
    Loader loader(Mixture({{set, 1}}, 5), wanted);
    int32_t last = -1;
    int same = 0;
    for (int row = 0; row < 900; ++row) {
      const int32_t first = loader.next(1).tokens_N[0];
      same += first == last ? 1 : 0;
      last = first;
    }
    return same;
  };
  EXPECT_GT(same_document(1), 800);
  EXPECT_LT(same_document(4096), 450);  // the pool holds 250 rows, which is two or three documents
}

TEST_F(LoaderTest, OtherSeedsGiveOtherBatches) {
  Loader a = loader(false, 1), b = loader(false, 2);
  EXPECT_NE(a.next(8).tokens_N, b.next(8).tokens_N);
}

TEST_F(LoaderTest, RefusesAStateOfAnotherRun) {
  Loader a = loader(false);
  a.next(5);
  const LoaderState state = a.state();
  EXPECT_THROW(loader(true).restore(state), Error);
  EXPECT_THROW(loader(false, 4).restore(state), Error);
  EXPECT_THROW(loader(false, 3, 17).restore(state), Error);
  Loader reweighted(Mixture({{sets_[0], 1}, {sets_[1], 1}}, 3), options(false));
  EXPECT_THROW(reweighted.restore(state), Error);
  LoaderState bad = state;
  bad.pending = {7, 0, 0, 1};
  EXPECT_THROW(loader(false).restore(bad), Error);
  bad = state;
  bad.open_rows = {{{{0, 0, 0, 1000}}, {}}};
  EXPECT_THROW(loader(false).restore(bad), Error);
  bad = state;
  bad.waiting_rows.pop_back();
  EXPECT_THROW(loader(false).restore(bad), Error);
  bad = state;
  bad.waiting_rows[0].following = Piece{0, 1000, 0, 1};
  EXPECT_THROW(loader(false).restore(bad), Error);
  bad = state;
  bad.waiting_rows[0].following = Piece{0, 0, 0, 2};  // there is room for one token
  EXPECT_THROW(loader(false).restore(bad), Error);
  bad = state;
  bad.waiting_rows[0].pieces = {{0, 0, 0, 0}};
  EXPECT_THROW(loader(false).restore(bad), Error);
  bad = state;
  bad.totals.tokens = INT64_MAX - 1;  // the next block would not fit
  EXPECT_THROW(loader(false).restore(bad), Error);
  bad = state;
  bad.totals.rows = -1;
  EXPECT_THROW(loader(false).restore(bad), Error);
  for (const char* key : {"pending", "open_rows", "waiting_rows"})
    for (const char* text : {"-1 0 0 0 ", "1 0 0", "1 0 0 1 2 ", "3000000000 0 0 0 ", "1 2 0 0 0 1 ",
                             "1 0 0 0 0 1 9223372036854775808 ", "1,0,0,0,0,1 ", "a"}) {
      Json json = state.to_json();
      json[key] = text;
      EXPECT_THROW(LoaderState::from_json(json, "state"), Error) << key << ": " << text;
    }
  for (const char* key : {"pending", "waiting_rows", "sources", "totals"}) {
    Json json = state.to_json();
    json.erase(key);
    EXPECT_THROW(LoaderState::from_json(json, "state"), Error) << key;
  }
}

TEST_F(LoaderTest, RefusesBadOptions) {
  LoaderOptions bad = options(false);
  bad.end_of_text = 257;
  EXPECT_THROW(Loader(Mixture({{sets_[0], 1}}, 1), bad), Error);
  bad = options(false);
  bad.bytes_of_token.pop_back();
  EXPECT_THROW(Loader(Mixture({{sets_[0], 1}}, 1), bad), Error);
  EXPECT_THROW(loader(false).next(0), Error);
  bad = options(false);
  bad.waiting_rows = 0;
  EXPECT_THROW(Loader(Mixture({{sets_[0], 1}}, 1), bad), Error);
}

TEST_F(LoaderTest, ValidationIsTheSetInFileOrder) {
  const int64_t all = sets_[0]->info().tokens + sets_[0]->documents();
  for (const bool concat : {false, true}) {
    const ValidationRows rows("set", sets_[0], options(concat), 1 << 20);
    const TokenBlock whole = rows.block(0, rows.rows());
    EXPECT_EQ(whole.tokens(), all);
    if (!concat) { EXPECT_EQ(whole.target_bytes, sets_[0]->info().text_bytes); }
    const ValidationRows few("set", sets_[0], options(concat), 3);
    EXPECT_EQ(few.rows(), 3);
    expect_equal(few.block(0, 3), rows.block(0, 3));
    EXPECT_EQ(few.block(1, 1).tokens_N, rows.block(1, 1).tokens_N);
    EXPECT_THROW(few.block(1, 3), Error);
  }
  std::vector<int32_t> stream;
  for (int64_t i = 0; i < sets_[0]->documents(); ++i) {
    for (const int32_t token : sets_[0]->document(i).to_vector()) stream.push_back(token);
    stream.push_back(0);
  }
  const ValidationRows rows("set", sets_[0], options(true), 1 << 20);
  EXPECT_EQ(rows.block(0, rows.rows()).tokens_N, stream);
}

}  // namespace
}  // namespace fude
