// Embeddings: what they are, against hidden rows by hand; that company changes no bit is in
// tests/parity/adapter_parity_test.cc.
#include "infer/embed.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "infer/generate.h"
#include "tests/support/adapter_case.h"
#include "tests/support/engine_case.h"

namespace fude {
namespace {

class EmbedTest : public testing::Test {
 protected:
  EmbedTest() : model(device, small_config("qwen3")) { model.initialise(3); }

  std::vector<float> by_hand(const std::vector<int32_t>& text, const EmbeddingOptions& options) {
    TokenBatch batch{text, {}, {0, int32_t(text.size())}};
    for (int32_t p = 0; p < int32_t(text.size()); ++p) batch.positions_N.push_back(p);
    BatchKv kv;
    const Tensor h_NC = model.forward({device, default_kernels()}, batch, kv);
    const int64_t width = h_NC.cols(), last = h_NC.rows() - 1;
    std::vector<double> x(static_cast<size_t>(width), 0.0);
    for (int64_t n = 0; n <= last; ++n)
      for (int64_t c = 0; c < width; ++c)
        if (options.pooling == Pooling::mean || n == (options.pooling == Pooling::last ? last : 0))
          x[size_t(c)] += double(h_NC.data<float>()[n * width + c]);
    double divisor = options.pooling == Pooling::mean ? double(text.size()) : 1;
    if (options.is_normalised) {
      double squares = 0;
      for (const double v : x) squares += v * v;
      divisor = std::sqrt(squares);
    }
    std::vector<float> result;
    for (const double v : x) result.push_back(float(v / divisor));
    return result;
  }

  Device device{2};
  Transformer model;
};

TEST_F(EmbedTest, AreTheHiddenRowsPooled) {
  Engine engine(model, default_kernels(), {.chunk = 33});
  for (const Pooling pooling : {Pooling::mean, Pooling::last, Pooling::cls})
    for (const bool is_normalised : {false, true})
      for (const int64_t size : {1, 32, 33, 100}) {
        const EmbeddingOptions options{pooling, is_normalised};
        const std::vector<int32_t> text = random_tokens(size, 2);
        const std::vector<float> embedding = embed(engine, {text}, options).front();
        EXPECT_EQ(embedding, by_hand(text, options)) << int(pooling) << " " << size;
        double squares = 0;
        for (const float v : embedding) squares += double(v) * double(v);
        if (is_normalised) { EXPECT_NEAR(squares, 1, 1e-6); }
      }
}

// The whole context; more texts than the queue takes; a beginning that is known is not run again where only its end
// counts.
TEST_F(EmbedTest, FitsAndQueues) {
  Engine engine(model, default_kernels(), {.context = 100, .cache_tokens = 200, .queued_requests = 2});
  std::vector<std::vector<int32_t>> texts;
  for (uint64_t i = 0; i < 12; ++i) texts.push_back(random_tokens(100, i));
  const auto together = embed(engine, texts);
  ASSERT_EQ(together.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(together[i], by_hand(texts[i], {})) << i;
  const int64_t tokens = engine.status().tokens;
  embed(engine, {texts.back()}, {Pooling::last});
  EXPECT_EQ(engine.status().tokens - tokens, 1);
}

TEST_F(EmbedTest, NewWeightsBeginItAnew) {
  Engine engine(model, default_kernels(), {.chunk = 20});
  const std::vector<int32_t> text = random_tokens(100, 1);
  std::vector<float> heard;
  engine.submit({.prompt = text, .max_tokens = 0, .embedding = EmbeddingOptions{}},
                {.embedding = [&](const std::vector<float>& x) { heard = x; }});
  engine.step(), engine.step();
  model.initialise(4);
  engine.weights_changed();
  engine.run();
  EXPECT_EQ(heard, by_hand(text, {}));
}

TEST_F(EmbedTest, RefusesWhatItCannotDo) {
  Engine engine(model, default_kernels(), {.context = 50});
  EXPECT_THROW(embed(engine, {{1, 2}, {}}), Error);
  EXPECT_THROW(embed(engine, {{1, 2}, random_tokens(51, 1)}), Error);
  EXPECT_THROW(embed(engine, {{1, 2}}, {}, "nobody"), Error);
  EXPECT_THROW(engine.submit({.prompt = {1}, .max_tokens = 1, .embedding = EmbeddingOptions{}}, {}), Error);
  EXPECT_THROW(engine.submit({.prompt = {1}, .max_tokens = 0, .choices = 2, .embedding = EmbeddingOptions{}}, {}),
               Error);
  engine.run();  // what was on its way when another was refused
  EXPECT_EQ(embed(engine, {{1, 2}}).front(), by_hand({1, 2}, {}));
  EXPECT_TRUE(embed(engine, {}).empty());
}

// Damaged weights fail it with a message, and nothing beside it.
TEST_F(EmbedTest, AFailureIsAnError) {
  Engine engine(model, default_kernels());
  const std::vector<float> good = by_hand({1, 2}, {});
  std::vector<float> row(size_t(model.config().width)), bad(row.size(), NAN);
  Parameter& embedding = *model.parameters()[0];
  embedding.get_rows(3, 1, row.data());
  embedding.set_rows(3, 1, bad.data());
  std::vector<float> heard;
  engine.submit({.prompt = {1, 2}, .max_tokens = 0, .embedding = EmbeddingOptions{}},
                {.embedding = [&](const std::vector<float>& x) { heard = x; }});
  EXPECT_THROW(embed(engine, {{3}}), Error);
  EXPECT_EQ(heard, good);
}

}  // namespace
}  // namespace fude
