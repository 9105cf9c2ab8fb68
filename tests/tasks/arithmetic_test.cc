// Every sum from 10 to 99: the steps are true, the solution is accepted, and the held-out pairs stay out.
#include "tasks/arithmetic.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "base/error.h"

namespace fude {
namespace {

// Checks every equation of the text: the run of digits and signs before "=" against the number behind it.
void expect_true_equations(const std::string& text) {
  int found = 0;
  for (size_t equal = text.find('='); equal != text.npos; equal = text.find('=', equal + 1), ++found) {
    const size_t begin = text.find_last_not_of("0123456789 +-", equal - 1) + 1;
    std::istringstream left(text.substr(begin, equal - begin));
    int value = 0, term = 0;
    char sign = '+';
    left >> value;
    while (left >> sign >> term) value += sign == '+' ? term : -term;
    EXPECT_EQ(value, std::stoi(text.substr(equal + 1))) << text;
  }
  EXPECT_EQ(found, 2) << text;
}

TEST(Arithmetic, WorksEverySumCorrectly) {
  for (int left = 10; left <= 99; ++left)
    for (int right = 10; right <= 99; ++right)
      for (char sign : {'+', '-'}) {
        if (sign == '-' && left < right) continue;
        for (Language language : {Language::english, Language::japanese}) {
          const Sum sum{left, sign, right};
          const Example example = arithmetic_example(sum, language, uint64_t(left * 100 + right));
          EXPECT_EQ(example.question.answer, std::to_string(sign == '+' ? left + right : left - right));
          EXPECT_TRUE(verify(example.question, example.solution)) << example.solution;
          EXPECT_NE(example.question.prompt.find(std::to_string(left)), std::string::npos);
          EXPECT_NE(example.question.prompt.find(std::to_string(right)), std::string::npos);
          expect_true_equations(example.solution);
        }
      }
}

TEST(Arithmetic, WritesTheStepsAsOnPaper) {
  EXPECT_EQ(worked_solution({27, '+', 15}, Language::english),
            "27 + 15: 7 + 5 = 12, write 2, carry 1. 2 + 1 + 1 = 4. The answer is 42.");
  EXPECT_EQ(worked_solution({42, '-', 15}, Language::english),
            "42 - 15: borrow 1, 12 - 5 = 7, write 7. 4 - 1 - 1 = 2. The answer is 27.");
  EXPECT_EQ(worked_solution({27, '+', 15}, Language::japanese),
            "27 + 15は、一の位が7 + 5 = 12で、2を書いて1繰り上がります。十の位は2 + 1 + 1 = 4です。答えは42です。");
}

TEST(Arithmetic, HoldsOutOnePairInTenBothWaysRound) {
  const Arithmetic task(5);
  EXPECT_GT(task.held_out_count(), 900);
  EXPECT_LT(task.held_out_count(), 1600);
  for (int left = 10; left <= 99; ++left)
    for (int right = 10; right <= 99; ++right)
      EXPECT_EQ(task.held_out(Sum{left, '+', right}), task.held_out(Sum{right, '+', left}));
  Random random{1, 2};
  for (int i = 0; i < 50000; ++i) {
    const Sum sum = task.practice_sum(random);
    EXPECT_FALSE(task.held_out(sum));
    EXPECT_GE(sum.result(), 0);
  }
  std::set<std::string> prompts;
  for (int64_t i = 0; i < task.held_out_count(); ++i) prompts.insert(task.held_out(i).question.prompt);
  EXPECT_EQ(int64_t(prompts.size()), task.held_out_count());
  EXPECT_THROW(task.held_out(task.held_out_count()), Error);
}

}  // namespace
}  // namespace fude
