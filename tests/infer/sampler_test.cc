#include "infer/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "infer/stop.h"

namespace fude {
namespace {

std::vector<float> logs(const std::vector<double>& p) {
  std::vector<float> out;
  for (double x : p) out.push_back(float(std::log(x)));
  return out;
}

TEST(Sampler, FrequenciesFollowTheDistribution) {
  const auto p = logs({0.5, 0.3, 0.15, 0.05});
  SamplingOptions options{.temperature = 1.0};
  std::map<int, int> counts;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) ++counts[sample_token(p, {}, 0, options, i).token];
  for (int t = 0; t < 4; ++t) {
    const double expected = std::exp(double(p[size_t(t)])), deviation = std::sqrt(expected * (1 - expected) / kDraws);
    EXPECT_NEAR(double(counts[t]) / kDraws, expected, 4.5 * deviation) << t;
  }
}

TEST(Sampler, TruncationKeepsWhatItSays) {
  const auto p = logs({0.05, 0.5, 0.3, 0.15});
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(sample_token(p, {}, 0, SamplingOptions{.temperature = 1.0, .top_k = 1}, i).token, 1);
    EXPECT_EQ(sample_token(p, {}, 0, SamplingOptions{.temperature = 1.0, .top_p = 0.4}, i).token, 1);
    EXPECT_NE(sample_token(p, {}, 0, SamplingOptions{.temperature = 1.0, .min_p = 0.2}, i).token, 0);
    EXPECT_EQ(sample_token(p, {}, 0, SamplingOptions{.temperature = 0.0}, i).token, 1);
  }
}

TEST(Sampler, DrawsDependOnSeedAndPositionAlone) {
  const auto p = logs({0.25, 0.25, 0.25, 0.25});
  const std::vector<int32_t> seen = {1, 2};
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(sample_token(p, {}, 0, SamplingOptions{.temperature = 1.0, .seed = 5}, i).token,
              sample_token(p, seen, 1, SamplingOptions{.temperature = 1.0, .seed = 5}, i).token);
    differs |= sample_token(p, {}, 0, SamplingOptions{.temperature = 1.0, .seed = 5}, i).token !=
               sample_token(p, {}, 0, SamplingOptions{.temperature = 1.0, .seed = 6}, i).token;
  }
  EXPECT_TRUE(differs);
}

TEST(Sampler, PenaltiesLowerWhatWasSeen) {
  const auto p = logs({0.6, 0.4});
  const std::vector<int32_t> seen = {0, 0, 0};
  EXPECT_EQ(sample_token(p, seen, 3, SamplingOptions{.temperature = 0, .frequency_penalty = 0.5}, 3).token, 1);
  EXPECT_EQ(sample_token(p, seen, 0, SamplingOptions{.temperature = 0, .frequency_penalty = 0.5}, 3).token, 0);
  EXPECT_EQ(sample_token(p, seen, 3, SamplingOptions{.temperature = 0, .presence_penalty = 0.5}, 3).token, 1);
  EXPECT_EQ(sample_token(p, seen, 0, SamplingOptions{.temperature = 0, .presence_penalty = 0.5}, 3).token, 0);
  // Once, however often it came: log 0.6 - 0.3 is above log 0.4, log 0.6 - 3 · 0.3 is not.
  EXPECT_EQ(sample_token(p, seen, 3, SamplingOptions{.temperature = 0, .presence_penalty = 0.3}, 3).token, 0);
  EXPECT_EQ(sample_token(p, seen, 3, SamplingOptions{.temperature = 0, .frequency_penalty = 0.3}, 3).token, 1);
  EXPECT_EQ(sample_token(p, seen, 0, SamplingOptions{.temperature = 0, .repetition_penalty = 3.0}, 3).token, 1);
  EXPECT_FLOAT_EQ(sample_token(p, seen, 3, SamplingOptions{.temperature = 0, .frequency_penalty = 0.5}, 3).logprob,
                  std::log(0.4f));
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  EXPECT_THROW(check({.temperature = -1}), Error);
  EXPECT_THROW(check({.top_p = 2}), Error);
  EXPECT_THROW(check({.top_k = -1}), Error);
  EXPECT_THROW(check({.min_p = 1.5}), Error);
  for (const double penalty : {0.0, 101.0}) EXPECT_THROW(check({.repetition_penalty = penalty}), Error);
  for (const double penalty : {-101.0, 101.0}) {
    EXPECT_THROW(check({.presence_penalty = penalty}), Error);
    EXPECT_THROW(check({.frequency_penalty = penalty}), Error);
  }
  EXPECT_THROW(check({.logit_bias = {{0, 1.0}, {1, 1001.0}}}), Error);
  EXPECT_THROW(check({.temperature = std::nan("")}), Error);
}

// Sorting by them would be undefined.
TEST(Sampler, RefusesLogProbabilitiesThatAreNotNumbers) {
  std::vector<float> p(1000, -1.0f);
  p[500] = std::nanf("");
  for (const double temperature : {0.0, 1.0})
    EXPECT_THROW(sample_token(p, {}, 0, {.temperature = temperature}, 0), Error);
}

// A row of logits with sums as the kernel gives them, within its bound.
LogitRow row_of(const std::vector<float>& logits, const SamplingOptions& o, double error) {
  double sum = 0, mass = 0;
  const float top = *std::max_element(logits.begin(), logits.end());
  for (float x : logits) {
    sum += std::exp(double(x) - double(top));
    mass += std::exp((double(x) - double(top)) * double(inverse_temperature(o)));
  }
  return {logits, {top, float(double(top) + std::log(sum)), float(mass * (1 + error))}};
}

// Lets pass one token of `step`, from token 0 on; all with 1.
class EveryFew : public TokenMask {
 public:
  explicit EveryFew(size_t step) : step_(step) {}
  void apply(std::span<float> logits_V) override {
    for (size_t token = 0; token < logits_V.size(); ++token)
      if (token % step_ != 0) logits_V[token] = -INFINITY;
  }
  void accept(int32_t) override {}

 private:
  size_t step_;
};

// The short way draws what the definition draws, whatever the options, the mask, the shape of the distribution, and the
// rounding of its mass.
TEST(Sampler, TheHeadIsEnough) {
  Random random{21};
  const std::vector<SamplingOptions> kinds = {
      {.temperature = 0},
      {.temperature = 1},
      {.temperature = 0.7, .top_p = 0.9},
      {.temperature = 1.5, .top_k = 40},
      {.temperature = 0.9, .top_k = 50, .top_p = 0.95, .min_p = 0.05},
      {.temperature = 1, .min_p = 0.1},
      {.temperature = 1, .top_p = 0},
      {.temperature = 1e-9},
      {.temperature = 0.8, .repetition_penalty = 1.3, .frequency_penalty = 0.2},
      {.temperature = 0, .repetition_penalty = 1.3, .presence_penalty = 1},
      {.temperature = 1.2, .top_k = 3, .top_p = 0.9, .presence_penalty = -2, .frequency_penalty = -0.5},
      {.temperature = 0.8, .logit_bias = {{3, 5.0}, {7, -100.0}}},
      {.temperature = 1, .min_p = 0.01, .repetition_penalty = 0.7, .logit_bias = {{0, 1.5}, {6, 300.0}}},
  };
  for (const double spread : {0.0, 1.0, 3.0, 10.0})
    for (const size_t size : {1, 5, 3000}) {
      std::vector<float> logits(size);
      for (float& x : logits) x = float(spread * random.normal());
      if (size > 10) logits[9] = logits[8] = logits[3];  // ties
      std::vector<int32_t> seen = {0, 0, 0};
      for (int32_t i = 0; size > 10 && i < 50; ++i) seen.push_back(i * i);
      for (SamplingOptions o : kinds)
        for (int draw = 0; draw < 60; ++draw) {
          if (size < 8) o.logit_bias.clear();
          const LogitRow row = row_of(logits, o, draw % 2 == 0 ? 9e-6 : -9e-6);
          const size_t step = draw % 3 == 0 ? 1 : draw % 3 == 1 ? 3 : 2000;
          EveryFew mask(step);
          std::vector<float> logprobs;
          for (size_t token = 0; token < size; ++token)
            logprobs.push_back(token % step == 0 ? row.logprob(token) : -INFINITY);
          const int64_t generated = int64_t(seen.size()) - 1;
          const SampledToken got = sample_token(default_kernels(), row, seen, generated, o, draw,
                                                step == 1 && draw % 2 == 0 ? nullptr : &mask),
                             wanted = sample_token(logprobs, seen, generated, o, draw);
          ASSERT_EQ(got.token, wanted.token) << spread << " " << size << " " << draw;
          ASSERT_EQ(got.logprob, wanted.logprob);
          ASSERT_NEAR(got.sampled_logprob, wanted.sampled_logprob, 1e-5 + 1e-6 * std::abs(wanted.sampled_logprob));
        }
    }
  // A low temperature divides what log-probabilities lost when they were rounded.
  std::vector<float> close(3000, -0.001f), logprobs;
  close[0] = 0, close[1] = -4e-7f;
  const SamplingOptions cold = {.temperature = 1e-6};
  const LogitRow row = row_of(close, cold, 0);
  for (size_t token = 0; token < close.size(); ++token) logprobs.push_back(row.logprob(token));
  for (int draw = 0; draw < 400; ++draw)
    ASSERT_EQ(sample_token(default_kernels(), row, {}, 0, cold, draw).token,
              sample_token(logprobs, {}, 0, cold, draw).token)
        << draw;
  // A bias may be finer than log-probabilities are.
  const SamplingOptions fine = {.temperature = 1e-9, .min_p = 0.05, .logit_bias = {{1, -2e-9}}};
  const std::vector<float> equal = {0, 0};
  const LogitRow two = row_of(equal, fine, 0);
  const std::vector<float> half = {two.logprob(0), two.logprob(1)};
  for (int draw = 0; draw < 100; ++draw)
    ASSERT_EQ(sample_token(default_kernels(), two, {}, 0, fine, draw).token,
              sample_token(half, {}, 0, fine, draw).token)
        << draw;
}

TEST(Sampler, TopLogprobsAreInOrder) {
  const std::vector<float> logits = {1, 3, 2, 3, 0, 2};
  const LogitRow row = row_of(logits, {}, 0);
  const auto top = top_logprobs(row, 4);
  std::vector<int32_t> tokens;
  for (const TokenLogprob& t : top) {
    tokens.push_back(t.token);
    EXPECT_EQ(t.logprob, row.logprob(size_t(t.token)));
  }
  EXPECT_EQ(tokens, (std::vector<int32_t>{1, 3, 2, 5}));
  EXPECT_TRUE(top_logprobs(row, 0).empty());
  EXPECT_EQ(top_logprobs(row, 100).size(), logits.size());
}

TEST(StopMatcher, HoldsBackWhatMayBecomeAStop) {
  StopMatcher stop({"</end>", "STOP"});
  EXPECT_EQ(stop.add("hello </e"), "hello ");
  EXPECT_EQ(stop.add("x> ST"), "</ex> ");
  EXPECT_EQ(stop.add("OP and more"), "");
  EXPECT_TRUE(stop.matched());
  EXPECT_EQ(stop.add("anything"), "");
  StopMatcher other({"ab"});
  EXPECT_EQ(other.add("xa"), "x");
  EXPECT_EQ(other.flush(), "a");
}

// Every cut of a text into pieces gives what the whole text gives.
TEST(StopMatcher, PiecesDoNotMatter) {
  const std::string text = "aabaabaaab--aab";
  const std::vector<std::string> stops = {"aaab", "b--"};
  for (size_t cut = 0; cut <= text.size(); ++cut)
    for (size_t second = cut; second <= text.size(); ++second) {
      StopMatcher stop(stops);
      std::string out = stop.add(text.substr(0, cut));
      out += stop.add(text.substr(cut, second - cut));
      out += stop.add(text.substr(second));
      out += stop.flush();
      EXPECT_EQ(out, "aabaab");
    }
  // The one that ends first counts, even if another begins before it.
  for (const size_t cut : {0, 3}) {
    StopMatcher nested({"abcd", "bc", "xbc"});
    std::string out = nested.add(std::string("abcd").substr(0, cut));
    out += nested.add(std::string("abcd").substr(cut));
    EXPECT_EQ(out, "a") << cut;
  }
  StopMatcher longest({"bc", "abc"});
  EXPECT_EQ(longest.add("_abcd"), "_");
}

}  // namespace
}  // namespace fude
