// fude tasks: which tasks there are, and examples of one: what it asks, how its solution goes, what counts as right.
#include <cstdio>
#include <string>
#include <unordered_set>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/task_options.h"
#include "base/json.h"
#include "posttrain/worked_answer.h"
#include "tasks/task_json.h"

namespace fude {
namespace {

struct TasksOptions {
  TaskChoice task;
  std::string language;
  bool is_held_out = false, as_chat = false;
  int64_t count = 3;
};

std::string range_text(const DifficultyRange& range) {
  return range.least == range.most ? std::to_string(range.least) : fmt::format("{}-{}", range.least, range.most);
}

void list_tasks(const CommonOptions& common) {
  for (const TaskEntry& entry : built_in_tasks()) {
    const auto task = entry.make(common.seed, {});
    const DifficultyRange range = task->difficulties();
    if (common.json)
      std::printf("%s\n",
                  Json({{"name", entry.name}, {"about", entry.about}, {"difficulty", {range.least, range.most}}})
                      .dump()
                      .c_str());
    else
      std::printf("%-12s %-5s  %s\n", std::string(entry.name).c_str(), range_text(range).c_str(),
                  std::string(entry.about).c_str());
  }
}

void show(const Example& example, const TasksOptions& o, bool as_json) {
  const auto& [question, solution] = example;
  if (o.as_chat) {
    require(!solution.empty(), "[tasks] expected worked solutions for --chat, this task has none");
    const Json asked = {{"role", "user"}, {"content", question.prompt}};
    std::printf("%s\n", Json({{"messages", {asked, worked_answer(example)}}}).dump().c_str());
    return;
  }
  if (as_json) {
    Json line = to_json(question);
    if (!solution.empty()) line["solution"] = solution;
    std::printf("%s\n", line.dump().c_str());
    return;
  }
  std::printf("%s\n%s%s[%s; %s, %s, difficulty %d]\n\n", question.prompt.c_str(), solution.c_str(),
              solution.empty() ? "" : "\n", question.answer.c_str(), question.kind.c_str(), question.language.c_str(),
              question.difficulty);
}

// Shows examples until there are enough. Lines of a file of questions have each prompt once, as that file must.
class Showing {
 public:
  Showing(const TasksOptions& o, bool as_json) : o_(o), as_json_(as_json), shows_once_(as_json && !o.as_chat) {}

  // False also where a task seems to have no other prompts.
  bool goes_on() const { return shown_ < o_.count && repeats_ < kMostRepeats; }
  int64_t shown() const { return shown_; }
  void add(const Example& example) {
    ++repeats_;
    if (shows_once_ && !prompts_.insert(example.question.prompt).second) return;
    show(example, o_, as_json_);
    ++shown_, repeats_ = 0;
  }

 private:
  static constexpr int64_t kMostRepeats = 1000;  // one after the other

  const TasksOptions& o_;
  const bool as_json_, shows_once_;
  std::unordered_set<std::string> prompts_;
  int64_t shown_ = 0, repeats_ = 0;
};

// Each practice example the next of a stream, in the language if there is one.
void show_practice(const Task& task, const TasksOptions& o, const CommonOptions& common) {
  Random random{common.seed};
  const Language language = o.language == "ja" ? Language::japanese : Language::english;
  Showing showing(o, common.json);
  for (int64_t i = 0; showing.goes_on(); ++i)
    showing.add(o.language.empty() ? practice_at(task, common.seed, 0, uint64_t(i)) : task.practice(random, language));
}

void show_held_out(const Task& task, const TasksOptions& o, const CommonOptions& common) {
  Showing showing(o, common.json);
  for (int64_t i = 0; i < task.held_out_count() && showing.goes_on(); ++i) {
    const Example example = task.held_out(i);
    if (o.language.empty() || example.question.language == o.language) showing.add(example);
  }
  require(showing.shown() > 0, "[tasks] expected held-out questions{}, {} has none",
          o.language.empty() ? "" : " in this language", task.name());
}

void run_tasks(const TasksOptions& o, const CommonOptions& common) {
  if (o.task.name.empty()) return list_tasks(common);
  // A file's questions are in any order of languages; only what is made on demand is cut to what is shown.
  const auto task = o.task.make(common.seed, o.task.name.ends_with(".jsonl") ? INT64_MAX : 2 * o.count);
  if (o.is_held_out)
    show_held_out(*task, o, common);
  else
    show_practice(*task, o, common);
}

}  // namespace

void add_tasks(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<TasksOptions>();
  CLI::App* command =
      app.add_subcommand("tasks",
                         "tasks with exact answers: a list of them, or examples of one\n\n"
                         "Without a name, lists the tasks with the range of their difficulty. With --json, examples "
                         "are lines of a .jsonl file that is a task itself: no prompt comes twice, so there are fewer "
                         "where a task has not so many.");
  command->add_option("name", options->task.name, kTaskHelp);
  command->add_option("--count", options->count, "examples to show")->check(between(1, 1000000))->capture_default_str();
  command->add_option("--language", options->language, "en or ja; without it, both")
      ->check(CLI::IsMember({"en", "ja"}));
  add_task_details(*command, options->task);
  command->add_flag("--held-out", options->is_held_out, "held-out questions, which are never practised");
  command->add_flag("--chat", options->as_chat,
                    "as lines that `fude sft` learns from: a solution's lines are thought, its last one is said");
  command->callback([=, &common] { run_tasks(*options, common); });
}

}  // namespace fude
