// A user's file: what it may say, and that every mistake in it is named with its line.
#include "tasks/jsonl_task.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tasks/registry.h"
#include "tasks/task_json.h"

namespace fude {
namespace {

constexpr const char* kLines =
    R"({"prompt": "6 times 7?", "answer": 42, "held_out": false, "solution": "The answer is 42."}

{"prompt": "7 * 8?", "answer": "56", "difficulty": 3, "kind": "product", "held_out": true}
{"prompt": "首都は?", "answer": ["東京", "東京都"], "wrong": ["大阪"], "language": "ja", "held_out": false}
{"prompt": "Is 7 even?", "answer": "no", "held_out": true}
)";

TEST(JsonlTask, ReadsQuestionsOfAllKinds) {
  const JsonlTask task("own.jsonl", kLines);
  EXPECT_EQ(task.languages(), (std::vector<Language>{Language::english, Language::japanese}));
  EXPECT_TRUE(task.difficulties().least == 1 && task.difficulties().most == 3);
  const Example english = practice_at(task, 1, 2, 0), japanese = practice_at(task, 1, 2, 1);
  EXPECT_EQ(english.question.prompt, "6 times 7?");
  EXPECT_EQ(english.solution, "The answer is 42.");
  EXPECT_TRUE(task.verify(english.question, "It is 42.") && !task.verify(english.question, "41 or 42"));
  for (const char* right : {"東京", "東京都です。", "答えは東京です。"})
    EXPECT_TRUE(task.verify(japanese.question, right));
  for (const char* wrong : {"大阪", "東京か大阪です。", "東京ではない", ""})
    EXPECT_FALSE(task.verify(japanese.question, wrong)) << wrong;
  ASSERT_EQ(task.held_out_count(), 2);
  EXPECT_EQ(task.held_out(0).question.kind, "product");
  EXPECT_TRUE(task.verify(task.held_out(1).question, "No."));
  EXPECT_FALSE(task.verify(task.held_out(1).question, "Yes or no."));
  EXPECT_THROW(task.held_out(2), Error);
}

TEST(JsonlTask, IsChosenFromByDifficulty) {
  const JsonlTask hard("own.jsonl", kLines, {.difficulties = DifficultyRange{2, 5}});
  EXPECT_EQ(hard.held_out_count(), 1);
  EXPECT_TRUE(hard.languages().empty());
  EXPECT_THROW(practice_at(hard, 1, 2, 3), Error);
  Random random{1, 2};
  EXPECT_THROW(hard.practice(random, Language::english), Error);
  EXPECT_THROW(JsonlTask("own.jsonl", kLines, {.difficulties = DifficultyRange{4, 5}}), Error);
  EXPECT_EQ(JsonlTask("own.jsonl", kLines, {.held_out = 1}).held_out_count(), 1);
}

TEST(JsonlTask, AHashDecidesWhatIsHeldOutAndAFileMayGrow) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += fmt::format("{{\"prompt\": \"{} + 1?\", \"answer\": {}}}\r\n", i, i + 1);
  const JsonlTask task("own.jsonl", text), longer("own.jsonl", text + kLines);
  EXPECT_NEAR(double(task.held_out_count()), 50, 25);
  for (int64_t i = 0; i < task.held_out_count(); ++i)
    EXPECT_EQ(task.held_out(i).question.prompt, longer.held_out(i).question.prompt);
}

TEST(JsonlTask, NamesFileLineAndWhatIsWrong) {
  const auto message = [](const std::string& line) -> std::string {
    try {
      JsonlTask("own.jsonl", std::string(kLines) + "\n" + line);
    } catch (const Error& error) { return error.what(); }
    return "";
  };
  const std::pair<const char*, const char*> cases[] = {
      {"{", "not valid JSON"},
      {"[]", "expected a JSON object, got array"},
      {R"({"answer": 1})", "'prompt'"},
      {R"({"prompt": "a"})", "'answer'"},
      {R"({"prompt": " ", "answer": 1})", "blank"},
      {R"({"prompt": 7, "answer": 1})", "expected a string at 'prompt'"},
      {R"({"prompt": "a", "answer": 1.5})", "a whole number at 'answer', got number"},
      {R"({"prompt": "a", "answer": []})", "1 to 64 answers, got 0"},
      {R"({"prompt": "a", "answer": [null]})", "a whole number at 'answer', got null"},
      {R"({"prompt": "a", "answer": ""})", "blank"},
      {R"({"prompt": "a", "answer": "."})", "refuse the answer '.'"},
      {R"({"prompt": "a", "answer": "no", "wrong": ["yes"]})", "refuse the answer 'no'"},
      {R"({"prompt": "a", "answer": "red wine", "wrong": ["wine"]})", "refuse the answer 'red wine'"},
      {R"({"prompt": "a", "answer": "x", "wrong": "y"})", "'wrong'"},
      {R"({"prompt": "a", "answer": "x", "wrong": [""]})", "'wrong'"},
      {R"({"prompt": "a", "answer": 1, "solution": "It is 2."})", "refuse the solution"},
      {R"({"prompt": "a", "answer": 1, "language": "fr"})", "'en' or 'ja', got 'fr'"},
      {R"({"prompt": "a", "answer": 1, "difficulty": 0})", "1 to 1000, got 0"},
      {R"({"prompt": "a", "answer": 1, "heldout": true})", "unknown key 'heldout'; did you mean 'held_out'?"},
      {R"({"prompt": "a", "answer": 1, "held_out": 1})", "'held_out'"},
      {R"({"prompt": "a", "prompt": "b", "answer": 1})", "comes twice"},
      {R"({"prompt": "7 * 8?", "answer": 57})", "line 3 again"},
      {"{\"prompt\": \"\xff\", \"answer\": 1}", "not valid JSON"}};
  for (const auto& [line, words] : cases) {
    EXPECT_NE(message(line).find("[own.jsonl:7] "), std::string::npos) << line << message(line);
    EXPECT_NE(message(line).find(words), std::string::npos) << line << message(line);
  }
  EXPECT_NE(message(R"({"prompt": "a", "answer": ")" + std::string(3000, 'x') + "\"}").find("2000 bytes"),
            std::string::npos);
  EXPECT_NE(message(std::string(2 << 20, ' ') + "{}").find("own.jsonl:7"), std::string::npos);
  EXPECT_NE(message(std::string(100000, '[')).find("deeper"), std::string::npos);
  EXPECT_THROW(JsonlTask("own.jsonl", "\n \r\n"), Error);
}

TEST(JsonlTask, ReadsBackWhatIsWritten) {
  for (const char* name : {"mini_aime", "letters", "ages", "arithmetic", "facts"}) {
    const auto task = make_task(name, 1);
    std::string text;
    std::set<std::string> prompts;
    for (uint64_t i = 0; i < 50; ++i) {
      const auto [question, solution] = practice_at(*task, 1, 2, i);
      if (!prompts.insert(question.prompt).second) continue;
      Json line = to_json(question);
      line["solution"] = solution;
      text += line.dump() + "\n";
      EXPECT_EQ(to_json(read_example(line, "line").example.question), to_json(question));
    }
    JsonlTask("written.jsonl", text);
  }
}

TEST(Registry, ReadsAFile) {
  const std::string path = testing::TempDir() + "own.jsonl";
  write_file(path, kLines);
  EXPECT_EQ(make_task(path, 1)->held_out_count(), 2);
  EXPECT_THROW(make_task(testing::TempDir() + "none.jsonl", 1), Error);
}

}  // namespace
}  // namespace fude
