#include "app/task_options.h"

#include <cstdio>

#include "app/command_line.h"
#include "base/json.h"

namespace fude {
namespace {

bool read_difficulties(const std::string& text, DifficultyRange& range) {
  int read = 0;
  const int numbers = std::sscanf(text.c_str(), "%9d%n-%9d%n", &range.least, &read, &range.most, &read);
  if (numbers == 1) range.most = range.least;
  return numbers >= 1 && size_t(read) == text.size() && range.least <= range.most;
}

}  // namespace

std::unique_ptr<Task> TaskChoice::make(uint64_t seed, int64_t held_out) const {
  return make_task(name, seed, {.difficulties = difficulties, .held_out = held_out, .reply_seconds = reply_seconds});
}

Json TaskChoice::difficulties_json() const {
  return difficulties ? Json{difficulties->least, difficulties->most} : Json();
}

void add_task_details(CLI::App& command, TaskChoice& choice) {
  command
      .add_option_function<std::string>(
          "--difficulty",
          [&choice](const std::string& text) {
            if (!read_difficulties(text, choice.difficulties.emplace()))
              throw CLI::ValidationError("--difficulty", "expected a number or two, such as 3 or 2-5, got " + text);
          },
          "only these, such as 3 or 2-5; without it, all that the task has")
      ->type_name(kRangeType);
  command.add_option("--reply-seconds", choice.reply_seconds, "what a task's program may take for a reply")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void add_task(CLI::App& command, TaskChoice& choice) {
  command.add_option("--task", choice.name, kTaskHelp)->required();
  add_task_details(command, choice);
}

void add_thinking_budget(CLI::App& command, ThinkingBudget& budget) {
  command.add_option("--most-thought", budget.most, "tokens after which a thought is ended")->check(at_least(0));
  command.add_option("--least-thought", budget.least, "tokens before which a thought goes on")
      ->check(at_least(0))
      ->capture_default_str();
}

}  // namespace fude
