// Programs that answer, and programs that hang, crash, babble or are not there: an error each, and nothing left behind.
#include "base/line_program.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace fude {
namespace {

std::string error_of(LineProgram& program, const std::string& line = "hello") {
  try {
    return "no error but the reply " + program.ask(line);
  } catch (const Error& error) { return error.what(); }
}

std::string error_of(const std::string& command, LineProgramLimits limits = {.reply_seconds = 20}) {
  LineProgram program(command, limits);
  return error_of(program);
}

void expect_words(const std::string& message, const std::string& words) {
  EXPECT_NE(message.find(words), std::string::npos) << message;
}

int open_files() {
  DIR* folder = ::opendir("/proc/self/fd");
  int count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

TEST(LineProgram, AnswersLineByLine) {
  LineProgram program("cat");
  EXPECT_EQ(program.ask("one"), "one");
  EXPECT_EQ(program.ask(""), "");
  EXPECT_EQ(program.ask("三 \xff"), "三 \xff");
  EXPECT_THROW(program.ask("two\nlines"), Error);
  EXPECT_EQ(program.ask("three"), "three");
}

TEST(LineProgram, TakesLinesThatFillEveryBuffer) {
  LineProgram program("cat", {.reply_seconds = 60, .reply_bytes = 4 << 20});
  const std::string line(3 << 20, 'x');
  EXPECT_EQ(program.ask(line), line);
}

TEST(LineProgram, ServesSeveralThreads) {
  LineProgram program("cat", {.reply_seconds = 60});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&program, t] {
      for (int i = 0; i < 50; ++i) EXPECT_EQ(program.ask(std::to_string(100 * t + i)), std::to_string(100 * t + i));
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(LineProgram, SaysHowAProgramEnded) {
  expect_words(error_of("exit 3"), "'exit 3' ended with exit code 3");
  expect_words(error_of("read line; exit 0"), "ended with exit code 0 without a reply");
  expect_words(error_of("kill -SEGV $$"), "was ended by signal 11");
  expect_words(error_of("/none/such"), "exit code 127 (not found)");
  expect_words(error_of("exec >&- <&-; sleep 100"), "closed its output");
}

TEST(LineProgram, EndsOneThatHangsOrBabbles) {
  const double began = now_seconds();
  expect_words(error_of("sleep 100", {.reply_seconds = 0.2}), "gave no reply within 0.2 seconds");
  expect_words(error_of("read line; printf half; sleep 100", {.reply_seconds = 0.3}), "gave no reply");
  expect_words(error_of("read line; cat /dev/zero", {.reply_seconds = 20, .reply_bytes = 100000}),
               "more than 100000 bytes");
  expect_words(error_of("yes"), "more than one line");
  EXPECT_LT(now_seconds() - began, 60);
}

TEST(LineProgram, StaysBrokenOnceItIs) {
  LineProgram program("read line; echo first; read line; exit 5");
  EXPECT_EQ(program.ask("a"), "first");
  const std::string first = error_of(program);
  expect_words(first, "exit code 5");
  EXPECT_EQ(error_of(program), first);
}

TEST(LineProgram, RefusesWhatNobodyAskedFor) {
  LineProgram program("read line; echo one; echo two; sleep 100", {.reply_seconds = 20});
  // Both lines at once, or the second one when the next request comes.
  const std::string first = error_of(program, "a");
  if (first.find("no error") == std::string::npos) return expect_words(first, "more than one line");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  expect_words(error_of(program, "b"), "more than one line");
}

TEST(LineProgram, WritingToADeadOneRaisesNoSignal) {
  LineProgram program("exit 0");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  expect_words(error_of(program, std::string(1 << 20, 'x')), "exit code 0");
}

TEST(LineProgram, LeavesNoProcessAndNoOpenFile) {
  const int before = open_files();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(LineProgram("cat").ask("a"), "a");
    error_of("exit 1");
    error_of("sleep 100 & sleep 100", {.reply_seconds = 0.05});
  }
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  // What it started itself is gone too.
  std::string child;
  {
    LineProgram program("sleep 100 & read line; echo $!; sleep 100");
    child = program.ask("number");
  }
  for (int i = 0; i < 400 && ::kill(std::stoi(child), 0) == 0; ++i)  // whoever adopts it has to notice
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::string state = "gone";
  if (FILE* file = std::fopen(("/proc/" + child + "/stat").c_str(), "r")) {
    char letter = 0;
    if (std::fscanf(file, "%*d %*s %c", &letter) == 1) state = letter;
    std::fclose(file);
  }
  EXPECT_TRUE(state == "gone" || state == "Z") << state;
}

TEST(LineProgram, NeedsACommandAndTime) {
  EXPECT_THROW(LineProgram(""), Error);
  EXPECT_THROW(LineProgram(std::string("a\0b", 3)), Error);
  EXPECT_THROW(LineProgram("cat", {.reply_seconds = 0}), Error);
}

}  // namespace
}  // namespace fude
