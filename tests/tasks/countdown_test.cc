// Any true expression is an answer; whatever else is written is none, however it is dressed up.
#include "tasks/countdown.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"

namespace fude {
namespace {

Question twenty_four() {
  return {.prompt = "Use 3, 3, 8 and 8 at most once each to make 24.",
          .answer = "8 / (3 - 8 / 3)",
          .language = "en",
          .given = "24: 3 3 8 8"};
}

TEST(CountdownVerify, TakesAnyExpressionOfTheNumbers) {
  const Countdown task(1);
  for (const char* answer :
       {"3 * 8", "8*3", "(3*8)", "The answer is 3 * 8.", "答えは3 * 8です。", "The answer is 3 * 8 = 24.", "3 * 8 = 24",
        "3 × 8", "８＊３", "**3 * 8**", "`3 * 8`", "3 + 3 = 6, 6 * 8 = 48, no.\n3 * 8 = 24, yes.\nThe answer is 8 * 3.",
        "The answer is 3 * 8. The answer is 8 * 3."})
    EXPECT_TRUE(task.verify(twenty_four(), answer)) << answer;
}

TEST(CountdownVerify, FractionsOnTheWayAreExact) {
  const Countdown task(1);
  EXPECT_TRUE(task.verify(twenty_four(), "8 / (3 - 8 / 3)"));
  EXPECT_TRUE(task.verify(twenty_four(), "8 ÷ (3 − 8 ÷ 3) = 24"));
  EXPECT_FALSE(task.verify(twenty_four(), "8 / (3 - 2.667)"));
}

TEST(CountdownVerify, RefusesOtherNumbersAndNumbersUsedTwice) {
  const Countdown task(1);
  for (const char* answer : {"24", "12 * 2", "3 * 8 * 1", "3 * 8 + 0", "3 * 3 * 3 - 3", "8 + 8 + 8", "38 - 8 - 3 - 3",
                             "33 - 8 - 1", "-8 * -3", "3 * 8 + 8 - 8 + 8 - 8", "24 = 24", "24 * 3 / 3"})
    EXPECT_FALSE(task.verify(twenty_four(), answer)) << answer;
}

TEST(CountdownVerify, RefusesWrongValuesAndDivisionByZero) {
  const Countdown task(1);
  for (const char* answer :
       {"3 + 8", "8 - 3", "8 / (3 - 3)", "3 * 8 / (8 - 8)", "3 * 8 = 25", "3 + 8 = 24", "3 * 8 = 24 = 24", "8 mod 3"})
    EXPECT_FALSE(task.verify(twenty_four(), answer)) << answer;
}

TEST(CountdownVerify, RefusesHedgesListsDenialsAndText) {
  const Countdown task(1);
  for (const char* answer :
       {"", "The answer is", "yes", "3 * 8 or 8 * 3", "3 * 8, 8 * 3", "3 * 8\n8 * 3", "not 3 * 8",
        "The answer is not 3 * 8.", "The answer is 3 * 8. The answer is 3 + 8.",
        "The answer is 3 + 8. The answer is 3 * 8.", "答えは3 * 8ではありません。", "It is 3 * 8",
        "<think>The answer is 3 * 8.</think> I cannot say.", "The answer is $3 * 8$, I think.",
        "Use 3, 3, 8 and 8 at most once each to make 24.", "3 ** 8", "3 * 8 # comment", "3 * 8; rm"})
    EXPECT_FALSE(task.verify(twenty_four(), answer)) << answer;
}

TEST(CountdownVerify, RefusesGarbageWithoutDelay) {
  const Countdown task(1);
  const std::string deep(100000, '(');
  for (const std::string& answer :
       {deep, deep + "3 * 8" + std::string(100000, ')'), std::string(900, '(') + "3*8" + std::string(900, ')'),
        std::string("(3 * 8"), std::string("3 * 8)"), std::string(")("), std::string("3 * \xff 8"),
        std::string(1 << 20, '1'), "3 * 8" + std::string(1 << 20, ' '), std::string("99999999999999999999 * 8"),
        std::string("3 * 8\0", 6)})
    EXPECT_FALSE(task.verify(twenty_four(), answer)) << answer.substr(0, 40);
}

TEST(CountdownVerify, RefusesABrokenProblem) {
  const Countdown task(1);
  Question broken = twenty_four();
  for (const char* given :
       {"", "24", "24: 3 x", "24: -3", "24: 1000", "99999999999999999999: 1", "24: 1 2 3 4 5 6 7"}) {
    broken.given = given;
    EXPECT_THROW(task.verify(broken, "3 * 8"), Error) << given;
  }
}

TEST(Countdown, GivesTheNumbersThatTheDifficultySays) {
  for (int count = 3; count <= 6; ++count) {
    const Countdown task(1, {.difficulties = DifficultyRange{count, count}});
    for (uint64_t i = 0; i < 200; ++i) {
      const Question question = practice_at(task, 1, 2, i).question;
      EXPECT_EQ(int(std::count(question.given.begin(), question.given.end(), ' ')), count) << question.given;
    }
  }
}

}  // namespace
}  // namespace fude
