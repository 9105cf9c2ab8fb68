// A task that is a program: what is asked of it and what it may answer.
#include "tasks/program_task.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tasks/registry.h"

namespace fude {
namespace {

// Makes "N + 1?" of a request whose counter is N, and takes any answer with a 7 in it.
constexpr const char* kCommand = R"sh(while read -r line; do
  case $line in
    *'"make"'*) n=${line#*counter\":}; n=${n%%,*}; s=${line#*stream\":}; s=${s%%,*}
      echo "{\"prompt\": \"$s: $n + 1?\", \"answer\": \"$n\", \"solution\": \"7\"}" ;;
    *'"answer":"'*7*'"}}') echo '{"right": true}' ;;
    *) echo '{"right": false}' ;;
  esac; done)sh";

TEST(ProgramTask, MakesAndVerifies) {
  const auto task =
      make_task(std::string("program:") + kCommand, 1, {.difficulties = DifficultyRange{2, 4}, .held_out = 10});
  EXPECT_TRUE(task->difficulties().least == 2 && task->difficulties().most == 4);
  const auto [question, solution] = practice_at(*task, 1, 2, 3);
  EXPECT_NE(question.prompt.find(" + 1?"), std::string::npos);
  EXPECT_EQ(question.kind, "program");
  EXPECT_EQ(question.language, "ja");
  EXPECT_EQ(practice_at(*task, 1, 2, 3).question.prompt, question.prompt);
  EXPECT_EQ(task->held_out_count(), 10);
  EXPECT_TRUE(is_held_out(task->held_out(4).question.prompt) && !is_held_out(question.prompt));
  Question plain{.prompt = "?", .answer = "x"};
  EXPECT_TRUE(task->verify(plain, "It is 7"));
  EXPECT_FALSE(task->verify(plain, "It is 8"));
}

TEST(ProgramTask, AnswersAreSentWholeButNotWithoutEnd) {
  const ProgramTask task("while read -r line; do echo '{\"right\": true}'; done", 1);
  const Question question{.prompt = "?", .answer = "x"};
  EXPECT_TRUE(task.verify(question, "\xff\xfe invalid \n lines \0 and more"));
  EXPECT_TRUE(task.verify(question, std::string(60000, '(')));
  EXPECT_FALSE(task.verify(question, std::string(1 << 20, 'x'))) << "a megabyte is no answer, and is not sent";
}

TEST(ProgramTask, BadRepliesAreErrorsThatNameTheProgram) {
  const Question question{.prompt = "?", .answer = "x"};
  for (const char* reply :
       {"garbage", "", "[]", "{}", "{\"right\": 1}", "{\"right\": \"true\"}", "{\"right\": true} {}", "\xff"}) {
    const ProgramTask task(fmt::format("while read -r line; do echo '{}'; done", reply), 1);
    try {
      task.verify(question, "a");
      ADD_FAILURE() << reply;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("program:while read"), std::string::npos) << error.what();
    }
    EXPECT_THROW(practice_at(task, 1, 2, 3), Error) << reply;
  }
  EXPECT_THROW(practice_at(ProgramTask("exit 1", 1), 1, 2, 3), Error);
  EXPECT_THROW(practice_at(ProgramTask("sleep 100", 1, {.reply_seconds = 0.1}), 1, 2, 3), Error);
  EXPECT_THROW(ProgramTask("cat", 1, {.difficulties = DifficultyRange{0, 1}}), Error);
  EXPECT_THROW(make_task("program:", 1), Error);
}

}  // namespace
}  // namespace fude
