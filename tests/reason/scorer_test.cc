#include "reason/scorer.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "tests/support/engine_case.h"

namespace fude {
namespace {

// It is refused: nothing would be surer than what is no number.
TEST(Scorer, AHeadThatIsNotANumberJudgesNothing) {
  Device device(1);
  auto trunk = std::make_unique<Transformer>(device, small_config("qwen3"));
  trunk->initialise(1);
  ScorerModel scorer = make_scorer(std::move(trunk));
  const std::vector<AnswerToScore> answers = {{{1, 2, 3}}, {{4, 5}}};
  EXPECT_EQ(verdicts(scorer, default_kernels(), answers).size(), answers.size());
  const std::vector<float> rows(size_t(2 * scorer.head_2C.cols()), std::numeric_limits<float>::quiet_NaN());
  scorer.head_2C.set_rows(0, 2, rows.data());
  EXPECT_THROW(verdicts(scorer, default_kernels(), answers), Error);
  EXPECT_THROW(score_sequences(scorer, default_kernels(), answers), Error);
}

}  // namespace
}  // namespace fude
