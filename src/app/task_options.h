// Options of commands that ask questions.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/commands.h"
#include "base/json_fwd.h"
#include "reason/budget.h"
#include "tasks/registry.h"

namespace fude {

inline constexpr const char* kTaskHelp = "a task of `fude tasks`, a path to a .jsonl file, or program:COMMAND";

// A task as a user chooses it.
struct TaskChoice {
  std::string name;
  std::optional<DifficultyRange> difficulties;
  double reply_seconds = 10;  // that its program may take

  std::unique_ptr<Task> make(uint64_t seed, int64_t held_out) const;
  // [least, most], or null.
  Json difficulties_json() const;
};
// --difficulty ("3" or "2-5") and --reply-seconds.
void add_task_details(CLI::App& command, TaskChoice& choice);
// These and --task.
void add_task(CLI::App& command, TaskChoice& choice);
// --most-thought and --least-thought.
void add_thinking_budget(CLI::App& command, ThinkingBudget& budget);

}  // namespace fude
