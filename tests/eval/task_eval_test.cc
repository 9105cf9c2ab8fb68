#include "eval/task_eval.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tasks/jsonl_task.h"
#include "tests/support/chat_case.h"

namespace fude {
namespace {

TEST(Grade, OnlyAnAnswerThatHasEndedCommits) {
  const JsonlTask task("sums", R"({"prompt": "2 + 3?", "answer": 5, "held_out": true})");
  const Tokenizer tokenizer = byte_tokenizer();
  const auto expect = [&](const std::string& text, FinishReason reason, const std::string& key, bool is_right,
                          bool begins_in_thought = false) {
    SampledAnswer answer{.tokens = {}, .reason = reason};
    for (const unsigned char byte : text) answer.tokens.push_back({byte, -0.5f, -0.5f});
    if (answer.has_ended()) answer.tokens.push_back({*tokenizer.find_special(kEnd), -0.5f, -0.5f});
    const GradedAnswer graded = grade(task, task.held_out(0).question, tokenizer, answer, begins_in_thought);
    EXPECT_EQ(graded.tokens, answer.ids());
    EXPECT_EQ(graded.text, text);
    EXPECT_EQ(graded.key, key) << text;
    EXPECT_EQ(graded.is_right, is_right) << text;
    EXPECT_EQ(graded.is_truncated, reason == FinishReason::length) << text;
    EXPECT_EQ(graded.is_cancelled, reason == FinishReason::cancelled) << text;
  };
  expect("The answer is 5.", FinishReason::stop, "5", true);
  expect("The answer is 6.", FinishReason::stop, "6", false);
  expect("The answer is 5.", FinishReason::length, "", false);
  expect("The answer is 5.", FinishReason::cancelled, "", false);
  expect("", FinishReason::stop, "", false);
  expect("<think>The answer is 6.</think>The answer is 5.", FinishReason::stop, "5", true);
  expect("<think>The answer is 5.", FinishReason::stop, "", false);
  expect("The answer is 6.</think>The answer is 5.", FinishReason::stop, "5", true, /*begins_in_thought=*/true);
}

// Three questions with three answers each: the majority is right and the scorer is not; the other way round, with a tie
// and an answer that says nothing; and a scorer that cannot tell.
std::vector<GradedQuestion> graded_by_hand() {
  const auto answer = [](const char* key, bool is_right, double weight) {
    return GradedAnswer{.tokens = {}, .text = {}, .key = key, .is_right = is_right, .weight = weight};
  };
  std::vector<GradedQuestion> questions(3);
  questions[0].answers = {answer("5", true, 0.2), answer("6", false, 0.9), answer("5", true, 0.1)};
  questions[1].answers = {answer("7", false, 0.1), answer("8", true, 0.8), answer("", false, 0)};
  questions[2].answers = {answer("1", true, 0.5), answer("2", false, 0.5), answer("1", true, 0.5)};
  questions[1].answers[2].is_truncated = true;
  questions[1].answers[2].tokens = {1, 2, 3};
  return questions;
}

void expect_near(const std::vector<double>& values, const std::vector<double>& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-12) << i;
}

TEST(TaskEval, VotesAndScoresAreThoseByHand) {
  const std::vector<GradedQuestion> questions = graded_by_hand();
  const TaskScore score = score_of(questions);
  EXPECT_NEAR(score.accuracy.value, 5.0 / 9, 1e-12);
  EXPECT_NEAR(score.truncated, 1.0 / 9, 1e-12);
  EXPECT_NEAR(score.tokens, 3.0 / 9, 1e-12);
  expect_near(one_right(questions), {2.0 / 3, 1.0 / 3, 2.0 / 3});
  expect_near(vote_right(questions, 3, 1), {1, 0.5, 1});
  expect_near(vote_right(questions, 3, 1, /*is_weighted=*/true), {0, 1, 1});
  expect_near(best_right(questions, 3), {0, 1, 2.0 / 3});
  // Two of three leave the best one out in one case of three.
  expect_near(best_right(questions, 2), {1.0 / 3, 2.0 / 3, 2.0 / 3});
  expect_near(best_right(questions, 1), one_right(questions));
  EXPECT_THROW(vote_right(questions, 4, 1), Error);
  EXPECT_THROW(best_right(questions, 4), Error);
}

}  // namespace
}  // namespace fude
