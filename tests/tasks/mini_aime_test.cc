// The problems of mini-AIME, the labels of steps, and answers made to fool its judge.
#include "tasks/mini_aime.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "tasks/mini_aime_problem.h"

namespace fude {
namespace {

Question sixteen() {
  return {.prompt = "Let a = 7. Let b = a * 3 - 2. Let c = b mod 10 + a. What is c?",
          .answer = "16",
          .language = "en",
          .given = "a = 7; b = a * 3 - 2; c = b mod 10 + a"};
}

std::vector<CheckedLine> check_steps(const Question& question, std::string_view work) {
  return MiniAime(1).check_steps(question, work);
}

std::string labels(const Question& question, std::string_view answer) {
  std::string text;
  for (const CheckedLine& line : check_steps(question, answer)) text += line.is_right ? 'y' : 'n';
  return text;
}

TEST(MiniAime, ValuesStayFrom0To999AndDifficultyIsTheNumberOfOperations) {
  Random random{1, 2};
  for (int i = 0; i < 20000; ++i) {
    const int operations = 2 + i % 11;
    const AimeProblem problem = draw_aime_problem(random, operations, i % 3 == 0);
    size_t signs = 0;
    for (const Definition& definition : problem) {
      signs += definition.signs.size();
      EXPECT_TRUE(definition.value >= 0 && definition.value <= 999);
    }
    EXPECT_EQ(signs, size_t(operations));
    // What the text says, read again, is what was drawn.
    const auto values = problem_values(problem_text(problem));
    ASSERT_EQ(values.size(), problem.size());
    for (size_t d = 0; d < values.size(); ++d) ASSERT_EQ(values[d], problem[d].value) << problem_text(problem);
  }
}

TEST(MiniAime, EveryLineOfASolutionIsRightButForTheOneThatIsRepaired) {
  for (const double repairs : {0.0, 0.15, 1.0}) {
    const MiniAime task(1, {.repairs = repairs});
    int repaired = 0;
    for (uint64_t i = 0; i < 4000; ++i) {
      const auto [question, solution] = practice_at(task, 1, 2, i);
      const auto lines = check_steps(question, solution);
      int wrong = 0;
      for (size_t l = 0; l < lines.size(); ++l) {
        if (lines[l].is_right) continue;
        ++wrong;
        EXPECT_TRUE(lines[l + 1].is_right &&
                    lines[l + 1].text.starts_with(question.language == "en" ? "Wait, " : "待って、"))
            << solution;
      }
      EXPECT_LE(wrong, 1) << solution;
      repaired += wrong;
    }
    EXPECT_NEAR(repaired, 4000 * repairs, 100);
  }
  EXPECT_THROW(MiniAime(1, {.repairs = 1.5}), Error);
}

TEST(MiniAime, IsShortEnoughForTheSmallestModels) {
  const MiniAime task(1, {.difficulties = DifficultyRange{2, 5}});
  for (uint64_t i = 0; i < 2000; ++i) {
    const auto [question, solution] = practice_at(task, 1, 2, 2 * i);
    EXPECT_LT(question.prompt.size() + solution.size(), 480u) << question.prompt << solution;
  }
}

TEST(CheckSteps, TakesTrueLinesInAnyHonestForm) {
  EXPECT_EQ(labels(sixteen(), "b = 7 * 3 - 2 = 21 - 2 = 19\nc = 19 mod 10 + 7 = 9 + 7 = 16\nThe answer is 16."), "yyy");
  EXPECT_EQ(labels(sixteen(), "  b = 19.  \n\nc=16"), "yn") << "a name is written with blanks, as in the question";
  EXPECT_EQ(labels(sixteen(), "7 * 3 - 2 = 19\n19 mod 10 + 7 = 16\n答えは16です。"), "yyy");
  EXPECT_EQ(labels(sixteen(), "b = 7 * 3 - 2 = 19\n19 mod 10 + 7 = 16"), "yy") << "behind a named line goes the next";
  EXPECT_EQ(labels(sixteen(), "7 * 3 - 2 = 19\nb = 19\n19 mod 10 + 7 = 16"), "yyy");
  EXPECT_EQ(labels(sixteen(), "ｂ = 7 * 3 - 2 = １９"), "y");
  EXPECT_EQ(labels(sixteen(), ""), "");
}

TEST(CheckSteps, LabelsEachWrongLineAndWhatFollowsFromIt) {
  EXPECT_EQ(labels(sixteen(), "b = 7 * 3 - 2 = 21 - 2 = 18\nc = 18 mod 10 + 7 = 15\nThe answer is 15."), "nnn");
  EXPECT_EQ(labels(sixteen(), "b = 7 * 3 - 2 = 18\nWait, b = 7 * 3 - 2 = 19\nc = 9 + 7 = 16"), "nyy");
  EXPECT_EQ(labels(sixteen(), "7 * 3 - 2 = 18\n待って、7 * 3 - 2 = 19\n19 mod 10 + 7 = 16"), "nyy");
}

TEST(CheckSteps, RefusesTrueEquationsThatAreNoSteps) {
  EXPECT_EQ(labels(sixteen(), "1 + 1 = 2\n2 = 2\nb = b\nq = 19\n19\nb\nb =\nb = 19 =\n= 19\nLet me think."),
            "nnnnnnnnnn");
  EXPECT_EQ(labels(sixteen(), "19 = 19\n19 = 19"), "yn") << "the same value again is not the next one";
  EXPECT_EQ(labels(sixteen(), "b = 19\n7 * 3 - 2 = 19"), "yn") << "nor is one that a named line has given";
  EXPECT_EQ(labels(sixteen(), "b = 38 / 2 = 19\nb = 19 / 0\nb = (((19"), "ynn");
}

TEST(CheckSteps, GarbageIsRefusedAndDoesNotTakeLong) {
  EXPECT_EQ(labels(sixteen(), std::string(2000, '(')), "n");
  EXPECT_EQ(labels(sixteen(), std::string(1 << 20, '(')), "");  // no whole line among what is read
  EXPECT_EQ(labels(sixteen(), "\xff\xfe\n\xe3\x81\nb = 1\xff"), "nnn");
  EXPECT_LE(labels(sixteen(), std::string(1 << 20, '=')).size(), 1u);
  EXPECT_LE(check_steps(sixteen(), std::string(1 << 20, '\n') + "b = 19").size(), 1u);
  Question broken = sixteen();
  for (const char* given : {"b = 1", "a = 1; a = 2", "a = b", "a = 1; b", "a = 1 / 2", "x"}) {
    broken.given = given;
    EXPECT_THROW(check_steps(broken, "b = 19"), Error) << given;
  }
}

TEST(MiniAimeVerify, TakesTheAnswerInUsualForms) {
  const MiniAime task(1);
  for (const char* answer : {"16", "１６", "c = 16", "The answer is 16.", "答えは16です。",
                             "b = 19\nc = 16\nThe answer is 16.", "c = 19 mod 10 + 7 = 16", "**16**", "016"})
    EXPECT_TRUE(task.verify(sixteen(), answer)) << answer;
}

TEST(MiniAimeVerify, RefusesHedgesListsDenialsAndOtherNumbers) {
  const MiniAime task(1);
  for (const char* answer : {"",
                             "17",
                             "-16",
                             "-0",
                             "16 or 17",
                             "The answer is 16 or 17.",
                             "The answer is 16. No, the answer is 17.",
                             "The answer is 17. No, the answer is 16.",
                             "The answer is 16, no.",
                             "The answer is 1 6.",
                             "The answer is 16.5",
                             "The answer is 16000000000000000000000000000000.",
                             "The answer is 16e9.",
                             "The answer is c.",
                             "The answer is the answer is the answer is",
                             "答えは16か17です。",
                             "答えは16ではない。",
                             "<think>The answer is 16.</think>The answer is 12.",
                             "Let a = 7. Let b = a * 3 - 2. Let c = b mod 10 + a. What is c?",
                             "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
                             "\xff\xfe"})
    EXPECT_FALSE(task.verify(sixteen(), answer)) << answer;
  EXPECT_FALSE(task.verify(sixteen(), std::string(1 << 20, '9') + " The answer is 16."));
  Question zero = sixteen();
  zero.answer = "0";
  EXPECT_TRUE(task.verify(zero, "The answer is 0."));
  EXPECT_FALSE(task.verify(zero, "The answer is -0.")) << "nobody writes zero so";
}

}  // namespace
}  // namespace fude
