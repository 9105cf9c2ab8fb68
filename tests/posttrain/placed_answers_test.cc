// A question that its answers share: the same log-probabilities, the same gradients, less work.
#include "posttrain/placed_answers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "model/load.h"
#include "ops/kv_view.h"
#include "train/step.h"

namespace fude {
namespace {

constexpr int32_t kVocabulary = 50;

std::vector<int32_t> random_tokens(int64_t count, uint64_t stream) {
  Random random{4, stream};
  std::vector<int32_t> tokens;
  for (int64_t i = 0; i < count; ++i) tokens.push_back(int32_t(random.below(uint64_t(kVocabulary))));
  return tokens;
}

// Of each question a length, and the lengths of its answers.
struct Group {
  int64_t prompt;
  std::vector<int64_t> answers;
};

struct Answers {
  std::vector<std::vector<int32_t>> tokens;
  std::vector<AnswerTokens> all;

  explicit Answers(const std::vector<Group>& groups) {
    for (size_t g = 0; g < groups.size(); ++g) {
      tokens.push_back(random_tokens(groups[g].prompt, g));
      for (int64_t size : groups[g].answers) tokens.push_back(random_tokens(size, 100 * g + uint64_t(size)));
    }
    for (size_t g = 0, at = 0; g < groups.size(); ++g) {
      const std::vector<int32_t>& prompt = tokens[at++];
      for (size_t a = 0; a < groups[g].answers.size(); ++a) all.push_back({prompt, tokens[at++]});
    }
  }
  Answers(const Answers&) = delete;
};

// Each in a block of its own: nothing is shared.
PlacedAnswers place_alone(const Answers& answers) {
  PlacedAnswers placed;
  for (size_t i = 0; i < answers.all.size(); ++i) {
    PlacedAnswers one = place_answers({&answers.all[i], 1}, 1 << 20, 1);
    placed.blocks.push_back(std::move(one.blocks[0]));
    placed.answers.push_back({{i, one.answers[0][0].first_row}});
  }
  return placed;
}

int64_t rows_of(const PlacedAnswers& placed) {
  int64_t rows = 0;
  for (const TokenBlock& block : placed.blocks) rows += block.tokens();
  return rows;
}

TEST(PlacedAnswers, ShareWholePagesOfTheirQuestion) {
  const Answers answers({{70, {5, 9, 1}}, {20, {4, 4}}, {33, {7, 2}}, {100, {3}}});
  const PlacedAnswers placed = place_answers(answers.all, 1 << 20, 4);
  ASSERT_EQ(placed.blocks.size(), 4u);  // three of them empty
  const TokenBlock& block = placed.blocks[0];
  EXPECT_EQ(block.prefixes_S, (std::vector<int32_t>{-1, 0, 0, 0, -1, -1, -1, 6, 6, -1}));
  const int64_t unshared = 3 * 69 + 15 + 2 * 19 + 8 + 2 * 32 + 9 + 99 + 3;
  EXPECT_EQ(block.tokens(), unshared - 2 * 64 - 32);
  EXPECT_EQ(block.target_count, 15 + 8 + 9 + 3);
  ASSERT_EQ(placed.answers[0].size(), answers.all.size());
  for (size_t i = 0; i < answers.all.size(); ++i) {
    const auto [number, row] = placed.answers[0][i];
    EXPECT_EQ(number, i);
    const AnswerTokens& a = answers.all[i];
    for (size_t j = 0; j < a.answer.size(); ++j) {
      EXPECT_EQ(block.targets_N[size_t(row) + j], a.answer[j]);
      EXPECT_EQ(block.positions_N[size_t(row) + j], int32_t(a.prompt.size() + j) - 1);
    }
  }
}

// Blocks stay below their size, and those of one question share in each.
TEST(PlacedAnswers, FillBlocks) {
  const Answers answers({{70, {9, 9, 9, 9, 9, 9, 9}}});
  const PlacedAnswers placed = place_answers(answers.all, 64 + 3 * 14, 1);
  ASSERT_EQ(placed.blocks.size(), 3u);
  EXPECT_EQ(placed.blocks[0].tokens(), 64 + 3 * 14);
  EXPECT_EQ(placed.blocks[1].tokens(), 64 + 3 * 14);
  EXPECT_EQ(placed.blocks[2].tokens(), 64 + 14);
}

class SharedQuestions : public testing::TestWithParam<std::string> {
 protected:
  SharedQuestions() {
    ModelConfig c = read_config(FUDE_SOURCE_DIR "/tests/goldens/" + GetParam());
    c.vocabulary = kVocabulary, c.layers = 2, c.context = 1024;
    if (c.window > 0) c.window = 50, c.is_local_L = {true, false};
    config = c;
  }
  ModelConfig config;
  const Answers answers{{{70, {5, 9, 1}}, {20, {4, 4}}, {300, {300, 2, 40}}}};
  const PlacedAnswers shared = place_answers(answers.all, 1 << 20, 1), alone = place_alone(answers);
};

TEST_P(SharedQuestions, HaveTheSameLogProbabilities) {
  ASSERT_LT(rows_of(shared), rows_of(alone) - 2 * 64 - 2 * 256 + 1);
  Device device(2);
  for (const DType compute : {DType::f32, DType::bf16}) {
    Transformer model(device, config, {.compute = compute});
    model.initialise(1);
    const auto logprobs_of = [&](const PlacedAnswers& placed) {
      std::vector<std::vector<float>> logprobs(answers.all.size());
      for (size_t b = 0; b < placed.blocks.size(); ++b) {
        const auto all_N = target_logprobs(model, default_kernels(), placed.blocks[b], nullptr, 1);
        for (const auto& [number, row] : placed.answers[b])
          logprobs[number].assign(all_N.begin() + row,
                                  all_N.begin() + row + int64_t(answers.all[number].answer.size()));
      }
      return logprobs;
    };
    EXPECT_EQ(logprobs_of(shared), logprobs_of(alone));
  }
}

TEST_P(SharedQuestions, HaveTheSameGradients) {
  std::vector<std::vector<float>> gradients[3];
  for (int run = 0; run < 3; ++run) {
    Device device(run == 2 ? 1 : 2);
    Transformer model(device, config);
    model.initialise(1);
    GradientSum sum(model, default_kernels(), {});
    sum.run(run == 0 ? alone.blocks : shared.blocks);
    for (const Parameter* p : model.parameters()) {
      const Tensor g = sum.gradients().of(*p);
      gradients[run].emplace_back(g.data<float>(), g.data<float>() + g.size());
    }
  }
  EXPECT_EQ(gradients[1], gradients[2]) << "one thread and two";
  for (size_t p = 0; p < gradients[0].size(); ++p) {
    double norm = 0, difference = 0;
    for (size_t i = 0; i < gradients[0][p].size(); ++i) {
      const double x = double(gradients[0][p][i]);
      norm += x * x, difference += std::pow(x - double(gradients[1][p][i]), 2);
    }
    // Sums of at most a thousand tokens in another order; their roundings go different ways.
    EXPECT_LE(std::sqrt(difference), 32 * 0x1p-24 * std::sqrt(norm)) << "parameter " << p;
  }
}

INSTANTIATE_TEST_SUITE_P(PlacedAnswers, SharedQuestions, testing::Values("qwen3", "gpt2", "gemma3_pattern"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace fude
