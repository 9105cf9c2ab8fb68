#include "infer/score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "infer/generate.h"
#include "model/load.h"

namespace fude {
namespace {

class Score : public testing::Test {
 protected:
  Score() {
    ModelConfig c = read_config(FUDE_SOURCE_DIR "/tests/goldens/qwen3");
    c.context = 700;
    model = std::make_unique<Transformer>(device, c);
    model->initialise(5);
  }
  std::vector<int32_t> text(int64_t size) const {
    Random random{3};
    std::vector<int32_t> tokens;
    for (int64_t i = 0; i < size; ++i) tokens.push_back(int32_t(random.below(uint64_t(model->config().vocabulary))));
    return tokens;
  }

  Device device{2};
  std::unique_ptr<Transformer> model;
};

// What is scored has the log-probability that it was sampled with, bit for bit, whatever keys and values are kept in.
TEST_F(Score, IsWhatTheSamplerSaid) {
  for (const DType kv : {DType::f32, DType::bf16, DType::i8}) {
    SCOPED_TRACE(name_of(kv));
    Engine engine(*model, default_kernels(), {.kv = kv});
    std::vector<int32_t> tokens = text(9);
    std::vector<float> said;
    generate(engine, {.prompt = tokens, .sampling = {.temperature = 1, .seed = 4}, .max_tokens = 80},
             [&](const AnswerToken& token) {
               tokens.push_back(token.sampled.token);
               said.push_back(token.sampled.logprob);
               return true;
             });
    const std::vector<float> scores = score(*model, default_kernels(), tokens, nullptr, kv);
    ASSERT_EQ(scores.size(), tokens.size() - 1);
    EXPECT_EQ(std::vector<float>(scores.end() - 80, scores.end()), said);
    EXPECT_EQ(scores == score(*model, default_kernels(), tokens), kv == DType::f32);
  }
}

// Longer than what goes through the model at a time; a text's beginning is scored alike with and without the rest.
TEST_F(Score, DoesNotDependOnWhatFollows) {
  const std::vector<int32_t> tokens = text(650);
  const std::vector<float> all = score(*model, default_kernels(), tokens);
  for (const int64_t size : {2, 65, 513, 514}) {
    const std::vector<float> part = score(*model, default_kernels(), {tokens.begin(), tokens.begin() + size});
    EXPECT_EQ(part, std::vector<float>(all.begin(), all.begin() + size - 1)) << size;
  }
}

// Many passages, some of which begin alike, have the scores that each has alone, from wherever they are scored.
TEST_F(Score, ManyAreScoredAsEachAlone) {
  std::vector<ScoredPassage> passages;
  for (const int64_t size : {2, 40, 41, 64, 65, 300, 650})
    for (const int64_t from : {int64_t(1), size / 2, size - 1}) {
      ScoredPassage passage{text(size), std::max<int64_t>(1, from), 2};
      if (from == size - 1) passage.tokens.back() = (passage.tokens.back() + 1) % 30;
      passages.push_back(passage);
    }
  std::vector<std::vector<PromptToken>> scores(passages.size());
  size_t calls = 0;
  score(*model, default_kernels(), passages, [&](size_t index, const std::vector<PromptToken>& scored) {
    scores[index] = scored;
    return ++calls < 15;
  });
  EXPECT_EQ(calls, 15u);
  for (size_t i = 0; i < passages.size(); ++i) {
    if (scores[i].empty()) continue;
    const std::vector<float> all = score(*model, default_kernels(), passages[i].tokens);
    ASSERT_EQ(scores[i].size(), passages[i].tokens.size() - size_t(passages[i].from)) << i;
    for (size_t k = 0; k < scores[i].size(); ++k) {
      EXPECT_EQ(scores[i][k].logprob, all[size_t(passages[i].from) - 1 + k]) << i << ", " << k;
      ASSERT_EQ(scores[i][k].top.size(), 2u);
      EXPECT_GE(scores[i][k].top[0].logprob, scores[i][k].top[1].logprob);
      EXPECT_GE(scores[i][k].top[0].logprob, scores[i][k].logprob);
    }
  }
  EXPECT_THROW(score(*model, default_kernels(), {{text(9), 9}}, {}), Error);
  EXPECT_THROW(score(*model, default_kernels(), {{text(701), 1}}, {}), Error);
}

TEST_F(Score, PerplexityIsOfTheSecondHalfOfEachWindow) {
  const std::vector<int32_t> tokens = text(2000);
  double nats = 0, squares = 0;
  int64_t scored = 0;
  for (int64_t begin = 0; begin < 2000; begin += 16) {
    std::vector<int32_t> window(tokens.begin() + begin, tokens.begin() + begin + 16);
    window[0] = 1;
    const std::vector<float> scores = score(*model, default_kernels(), window);
    for (size_t i = 8; i < 15; ++i) {
      nats -= double(scores[i]), squares += double(scores[i]) * double(scores[i]), ++scored;
    }
  }
  int64_t windows = 0;
  const Perplexity result = perplexity(*model, default_kernels(), tokens, 16, 1, [&](const Perplexity& p) {
    EXPECT_EQ(p.windows, ++windows);
    return true;
  });
  EXPECT_EQ(windows, 125);
  EXPECT_EQ(result.scored, scored);
  EXPECT_EQ(result.nats, nats);
  EXPECT_EQ(result.squares, squares);
  EXPECT_EQ(result.value(), std::exp(nats / double(scored)));
  EXPECT_GT(result.standard_error(), 0);
  EXPECT_EQ(
      perplexity(*model, default_kernels(), tokens, 16, 1, [](const Perplexity& p) { return p.windows < 7; }).windows,
      7);
  const auto go_on = [](const Perplexity&) { return true; };
  const Perplexity in_i8 = perplexity(*model, default_kernels(), tokens, 16, 1, go_on, nullptr, DType::i8);
  EXPECT_EQ(in_i8.scored, scored);
  EXPECT_NE(in_i8.nats, nats);
  EXPECT_NEAR(in_i8.value(), result.value(), result.standard_error());
}

TEST_F(Score, RefusesWhatDoesNotFit) {
  EXPECT_THROW(score(*model, default_kernels(), text(1)), Error);
  EXPECT_THROW(score(*model, default_kernels(), text(701)), Error);
  EXPECT_THROW(score(*model, default_kernels(), {1, int32_t(model->config().vocabulary)}), Error);
  const auto go_on = [](const Perplexity&) { return true; };
  EXPECT_THROW(perplexity(*model, default_kernels(), text(15), 16, -1, go_on), Error);
  EXPECT_THROW(perplexity(*model, default_kernels(), text(900), 800, -1, go_on), Error);
}

}  // namespace
}  // namespace fude
