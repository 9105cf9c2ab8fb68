// Age puzzles: the princess and the prince, solutions checked against what the text says, and answers made to fool.
#include "tasks/ages.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "tasks/age_nest.h"

namespace fude {
namespace {

// A princess is as old as the prince will be when the princess is twice as old as the prince was when the princess's
// age was half the sum of their present ages: four to three.
AgeNest princess() { return {{0, {1, 2}, 1}, {0, 2, 1}}; }
const Names kEnglishNames = {"the princess", "the prince"}, kJapaneseNames = {"姫", "王子"};

TEST(AgeNest, SolvesThePrincessAndThePrince) {
  const auto solved = solve(princess());
  ASSERT_TRUE(solved);
  EXPECT_EQ(solved->a, 4);
  EXPECT_EQ(solved->b, 3);
  EXPECT_EQ(nest_text(princess(), *solved, Language::english, kEnglishNames),
            "the princess is as old as the prince will be when the princess is twice as old as the prince was when "
            "the princess's age was half the sum of their present ages.");
  EXPECT_EQ(
      nest_text(princess(), *solved, Language::japanese, kJapaneseNames),
      "姫の今の年齢は、『姫の年齢が「姫の年齢が今の二人の年齢の和の半分だったとき」の王子の年齢の2倍になるとき』の王"
      "子の年齢と同じです。");
  EXPECT_EQ(nest_work(princess(), *solved, Language::english, kEnglishNames),
            "Moment 1: the princess (a + b) / 2, the prince (3b - a) / 2.\n"
            "Moment 2: the princess 3b - a, the prince 4b - 2a.\n"
            "So a = 4b - 2a, a : b = 4 : 3.\n");
}

// The moments again, in plain arithmetic with ages as numbers.
TEST(AgeNest, TheRatioFulfilsEveryMoment) {
  Random random{1, 2};
  int found = 0;
  for (int i = 0; i < 20000; ++i) {
    const AgeNest nest = draw_nest(random, 1 + i % 3);
    const auto solved = solve(nest);
    if (!solved) continue;
    ++found;
    const double ages[2] = {double(solved->a), double(solved->b)};
    double then[2] = {};
    for (const Moment& moment : nest) {
      const double times = double(moment.times.numerator()) / double(moment.times.denominator());
      const double age = times * (&moment == nest.data() ? ages[0] + ages[1] : then[moment.whom]);
      const double years = age - ages[moment.who];
      for (int person : {0, 1}) then[person] = ages[person] + years;
      EXPECT_TRUE(then[0] > 0 && then[1] > 0);
    }
    EXPECT_NEAR(ages[0], then[1], 1e-9 * (ages[0] + ages[1]));
  }
  EXPECT_GT(found, 2000);
}

TEST(AgeNest, HasNoSolutionWhereAMomentIsNow) {
  // "… when the prince's age is half the sum": then both are as old as each other, and it is now.
  EXPECT_FALSE(solve({{1, {1, 2}, 0}}));
  // "… when the prince is as old as the sum": the princess is as old as both, and the prince not born.
  EXPECT_FALSE(solve({{1, 1, 0}}));
}

TEST(Ages, AnswersArePositiveAndGrownUpAtMost) {
  const Ages task(1);
  std::set<std::string> kinds;
  for (uint64_t i = 0; i < 4000; ++i) {
    const Question question = practice_at(task, 1, 2, i).question;
    const int age = std::stoi(question.answer);
    EXPECT_TRUE(age >= 1 && age <= 90) << question.prompt;
    EXPECT_TRUE(question.language == "ja" || std::isupper(question.prompt[0]) || std::isdigit(question.prompt[0]));
    kinds.insert(question.kind);
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"difference", "nested", "ratio"}));
}

Question forty() { return {.prompt = "How old is Mio?", .answer = "40", .language = "en"}; }

TEST(AgesVerify, TakesTheAge) {
  const Ages task(1);
  for (const char* answer : {"40", "Mio is 40.", "Mio is 40 years old.", "40歳です。", "答えは４０歳です。",
                             "a + b = 70\na = 40", "So a = 40 and the answer is 40."})
    EXPECT_TRUE(task.verify(forty(), answer)) << answer;
}

TEST(AgesVerify, RefusesBothAgesHedgesRatiosAndDenials) {
  const Ages task(1);
  for (const char* answer : {"",
                             "30",
                             "forty",
                             "40 and 30",
                             "40 or 30",
                             "a : b = 4 : 3",
                             "4/3 of 30",
                             "40/1",
                             "The answer is 40/1.",
                             "The answer is 40 or 30.",
                             "The answer is 40 and 30.",
                             "The answer is 40. The answer is 30.",
                             "The answer isn't 40.",
                             "答えは40歳か30歳です。",
                             "答えは40歳ではない。",
                             "Mio is 40, Ken is 30.",
                             "-40",
                             "40.0",
                             "4０0",
                             "How old is Mio?",
                             "\xe3\x81"})
    EXPECT_FALSE(task.verify(forty(), answer)) << answer;
  EXPECT_FALSE(task.verify(forty(), std::string(100000, '(') + "40"));
}

}  // namespace
}  // namespace fude
