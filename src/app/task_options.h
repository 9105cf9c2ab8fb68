// Options of commands that ask a task's questions.
#pragma once

#include <optional>
#include <string>

#include "app/commands.h"
#include "tasks/registry.h"

namespace fude {

inline constexpr const char* kTaskHelp = "a task of `fude tasks`, a path to a .jsonl file, or program:COMMAND";

// --difficulty: "3" or "2-5".
void add_difficulty(CLI::App& command, std::optional<DifficultyRange>& range);

}  // namespace fude
