#include "reason/sample.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/chat_case.h"
#include "tests/support/engine_case.h"

namespace fude {
namespace {

class SampleTest : public testing::Test {
 protected:
  SampleTest() : model(device, small_config("qwen3")) { model.initialise(3); }
  std::vector<std::vector<SampledAnswer>> sampled(Engine& engine, int64_t answers) {
    SampleOptions options{.answers = answers, .max_tokens = 12};
    options.sampling.seed = 5;
    return sample_answers(engine, prompts, {7, 8, 9, 10, 11}, options);
  }

  Device device{2};
  Transformer model;
  std::vector<std::vector<int32_t>> prompts = {random_tokens(20, 1), random_tokens(3, 2), random_tokens(40, 3)};
};

bool same(const std::vector<SampledAnswer>& a, const std::vector<SampledAnswer>& b) {
  return std::ranges::equal(a, b, [](const SampledAnswer& x, const SampledAnswer& y) {
    return x.reason == y.reason && std::ranges::equal(x.tokens, y.tokens, [](auto s, auto t) {
             return s.token == t.token && s.logprob == t.logprob && s.sampled_logprob == t.sampled_logprob;
           });
  });
}

// The same answers, whatever runs beside them and however small the engine's queue.
TEST_F(SampleTest, DoesNotDependOnTheEngine) {
  Engine wide(model, default_kernels(), {.cache_tokens = 20000, .batch = 300});
  Engine narrow(model, default_kernels(), {.cache_tokens = 700, .batch = 3, .queued_requests = 2});
  const auto a = sampled(wide, 150), b = sampled(narrow, 150), fewer = sampled(narrow, 5);
  for (size_t q = 0; q < prompts.size(); ++q) {
    ASSERT_EQ(a[q].size(), 150u);
    EXPECT_TRUE(same(a[q], b[q]));
    EXPECT_TRUE(same({a[q].begin(), a[q].begin() + 5}, fewer[q]));
    for (size_t i = 1; i < 5; ++i) EXPECT_FALSE(same({a[q][0]}, {a[q][i]}));
  }
}

// The end mark is the last token, with its own log-probability.
TEST_F(SampleTest, KnowsWhatEndedAnAnswer) {
  Engine engine(model, default_kernels(), {.cache_tokens = 20000});
  int64_t ended = 0;
  const auto answers = sampled(engine, 128);
  for (const SampledAnswer& answer : answers[0]) {
    ASSERT_FALSE(answer.tokens.empty());
    const int32_t last = answer.tokens.back().token;
    EXPECT_EQ(answer.has_ended(), last >= 7 && last <= 11);
    EXPECT_NE(answer.has_ended(), answer.is_truncated());
    EXPECT_LT(answer.tokens.back().logprob, 0);
    ended += answer.has_ended();
  }
  EXPECT_GT(ended, 10);
}

TEST_F(SampleTest, StopsWhereEnoughIsKnown) {
  Engine engine(model, default_kernels(), {.cache_tokens = 20000, .batch = 4});
  std::vector<int64_t> heard(prompts.size());
  SampleOptions options{.answers = 40, .max_tokens = 6};
  options.on_answer = [&](size_t question, int64_t, const SampledAnswer&) { return ++heard[question] < 3; };
  const auto answers = sample_answers(engine, prompts, {}, options);
  for (size_t q = 0; q < prompts.size(); ++q) {
    EXPECT_GE(heard[q], 3);
    EXPECT_LE(heard[q], 3 + 4);  // those of the same step
    EXPECT_GT(std::ranges::count(answers[q], FinishReason::cancelled, &SampledAnswer::reason), 30);
  }
  EXPECT_FALSE(engine.step());
}

TEST_F(SampleTest, Refuses) {
  Engine engine(model, default_kernels(), {.context = 50});
  EXPECT_THROW(sample_answers(engine, {random_tokens(60, 1)}, {}, {}), Error);
  EXPECT_THROW(sample_answers(engine, prompts, {}, {.answers = 0}), Error);
  EXPECT_FALSE(engine.step());
  // The first question was taken before the second one was refused, and is not left behind.
  EXPECT_THROW(sample_answers(engine, {random_tokens(5, 1), random_tokens(60, 2)}, {}, {}), Error);
  EXPECT_FALSE(engine.step());
}

}  // namespace
}  // namespace fude
