// Options of commands that ask questions.
#pragma once

#include <optional>
#include <string>

#include "app/commands.h"
#include "base/json_fwd.h"
#include "reason/budget.h"
#include "tasks/registry.h"

namespace fude {

inline constexpr const char* kTaskHelp = "a task of `fude tasks`, a path to a .jsonl file, or program:COMMAND";

// --difficulty: "3" or "2-5".
void add_difficulty(CLI::App& command, std::optional<DifficultyRange>& range);
// [least, most], or null.
Json json_of(const std::optional<DifficultyRange>& range);
// --most-thought and --least-thought.
void add_thinking_budget(CLI::App& command, ThinkingBudget& budget);

}  // namespace fude
