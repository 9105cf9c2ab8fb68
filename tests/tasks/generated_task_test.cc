// What holds for every built-in task: solutions verify, practice and held-out questions never meet, everything is a
// pure function of seed, stream and number.
#include "tasks/generated_task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "tasks/registry.h"
#include "text/unicode.h"

namespace fude {
namespace {

class BuiltInTask : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Task> make(uint64_t seed, const TaskOptions& options = {}) const {
    return make_task(GetParam(), seed, options);
  }
};

TEST_P(BuiltInTask, SolutionsOfTenThousandQuestionsVerify) {
  const auto task = make(3);
  EXPECT_EQ(task->name(), GetParam());
  std::set<int> difficulties;
  for (uint64_t i = 0; i < 10000; ++i) {
    const auto [question, solution] = practice_at(*task, 1, 2, i);
    ASSERT_TRUE(task->verify(question, solution)) << question.prompt << "\n" << solution;
    ASSERT_TRUE(task->verify(question, question.answer)) << question.prompt << "\n" << question.answer;
    ASSERT_FALSE(task->verify(question, question.prompt)) << question.prompt;
    ASSERT_EQ(question.language, i % 2 == 0 ? "en" : "ja");
    ASSERT_TRUE(task->difficulties().contains(question.difficulty));
    ASSERT_TRUE(is_valid_utf8(question.prompt) && is_valid_utf8(solution)) << question.prompt;
    ASSERT_EQ((question.prompt + solution).find_first_of("{}<>|"), std::string::npos) << question.prompt << solution;
    ASSERT_LT(question.prompt.size() + solution.size(), 1500u) << question.prompt << solution;
    ASSERT_FALSE(question.kind.empty());
    difficulties.insert(question.difficulty);
  }
  EXPECT_EQ(int(difficulties.size()), task->difficulties().most - task->difficulties().least + 1);
}

TEST_P(BuiltInTask, PracticeIsAFunctionOfSeedStreamAndNumber) {
  const auto task = make(3), again = make(3);
  int same_stream = 0, same_seed = 0;
  for (uint64_t i = 200; i-- > 0;) {
    const Example example = practice_at(*task, 1, 2, i);
    EXPECT_EQ(practice_at(*again, 1, 2, i).solution, example.solution);
    same_stream += practice_at(*task, 1, 3, i).question.prompt == example.question.prompt;
    same_seed += practice_at(*task, 2, 2, i).question.prompt == example.question.prompt;
  }
  EXPECT_LT(same_stream, 20);
  EXPECT_LT(same_seed, 20);
}

TEST_P(BuiltInTask, HeldOutQuestionsDifferAndAreNeverPractised) {
  const auto task = make(3), again = make(3);
  std::set<std::string> held_out;
  int japanese = 0;
  for (int64_t i = 0; i < task->held_out_count(); ++i) {
    const auto [question, solution] = task->held_out(i);
    EXPECT_TRUE(held_out.insert(question.prompt).second) << question.prompt;
    EXPECT_TRUE(task->verify(question, solution)) << question.prompt << solution;
    EXPECT_EQ(again->held_out(i).question.prompt, question.prompt);
    japanese += question.language == "ja";
  }
  EXPECT_GT(held_out.size(), 70u);
  EXPECT_NEAR(japanese, double(held_out.size()) / 2, double(held_out.size()) / 20);
  for (uint64_t i = 0; i < 20000; ++i) ASSERT_FALSE(held_out.contains(practice_at(*task, 4, 5, i).question.prompt));
  EXPECT_THROW(task->held_out(task->held_out_count()), Error);
  EXPECT_THROW(task->held_out(-1), Error);
}

TEST_P(BuiltInTask, ADifficultyIsKeptToAndOneBeyondTheRangeIsRefused) {
  const DifficultyRange whole = make(3)->difficulties();
  const auto task = make(3, {.difficulties = DifficultyRange{whole.most, whole.most}, .held_out = 20});
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(practice_at(*task, 1, 2, i).question.difficulty, whole.most);
  for (int64_t i = 0; i < std::min<int64_t>(20, task->held_out_count()); ++i)
    EXPECT_EQ(task->held_out(i).question.difficulty, whole.most);
  for (const DifficultyRange wrong :
       {DifficultyRange{whole.least - 1, whole.least}, {whole.most, whole.most + 1}, {whole.most + 1, whole.most}})
    EXPECT_THROW(make(3, {.difficulties = wrong}), Error);
}

INSTANTIATE_TEST_SUITE_P(All, BuiltInTask,
                         testing::Values("arithmetic", "facts", "mini_aime", "letters", "countdown", "ages"),
                         [](const auto& one) { return one.param; });

// All but facts, whose world, and what is held out of it, is the seed's.
TEST(GeneratedTask, NoSeedPractisesWhatAnotherHoldsOut) {
  for (const char* name : {"mini_aime", "letters", "countdown", "ages", "arithmetic"}) {
    const auto one = make_task(name, 1), other = make_task(name, 2);
    std::set<std::string> held_out;
    for (int64_t i = 0; i < one->held_out_count(); ++i) held_out.insert(one->held_out(i).question.prompt);
    EXPECT_GT(held_out.size(), 700u) << name;
    for (uint64_t i = 0; i < 20000; ++i) ASSERT_FALSE(held_out.contains(practice_at(*other, 2, 1, i).question.prompt));
  }
}

TEST(GeneratedTask, HoldsOutATenth) {
  int held_out = 0;
  for (int i = 0; i < 20000; ++i) held_out += is_held_out(std::to_string(i));
  EXPECT_NEAR(held_out, 2000, 200);
}

// There is but one problem, so either there is nothing to practise or nothing to hold out. Counts the draws.
class OneProblem : public GeneratedTask {
 public:
  explicit OneProblem(std::string problem) : GeneratedTask("one", 1, {1, 1}, {}), problem_(std::move(problem)) {}

  mutable int drawn = 0;

 protected:
  Draft draft(Random&, Language, int) const override {
    ++drawn;
    return {problem_, {.question = {.prompt = problem_, .answer = "1"}, .solution = "1"}};
  }

 private:
  std::string problem_;
};

TEST(GeneratedTask, SaysThatThereIsNothingToPractise) {
  int number = 0;
  while (!is_held_out(std::to_string(number))) ++number;
  const OneProblem held_out(std::to_string(number));
  EXPECT_THROW(practice_at(held_out, 1, 2, 3), Error);
  EXPECT_EQ(held_out.held_out_count(), 1);
  while (is_held_out(std::to_string(number))) ++number;
  const OneProblem practised(std::to_string(number));
  EXPECT_EQ(practice_at(practised, 1, 2, 3).question.kind, "one");
  practised.drawn = 0;
  EXPECT_EQ(practised.held_out_count(), 0);
  EXPECT_LE(practised.drawn, 1000) << "what is not there is looked for once in each language, not for every question";
}

TEST(Registry, NamesTheNearestTask) {
  EXPECT_EQ(make_task("ages", 1)->name(), "ages");
  try {
    make_task("mini-aime", 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'mini_aime'?"), std::string::npos) << error.what();
  }
  EXPECT_THROW(make_task("", 1), Error);
}

}  // namespace
}  // namespace fude
