// Tasks by name: those that are built in, and those of users.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tasks/task.h"

namespace fude {

struct TaskEntry {
  std::string_view name, about;
  std::unique_ptr<Task> (*make)(uint64_t seed, const TaskOptions& options);
};

std::span<const TaskEntry> built_in_tasks();

// A built-in task, or one of the user's own: a path that ends in .jsonl, or "program:" and a command for the shell.
// Error for another name, with the nearest.
std::unique_ptr<Task> make_task(const std::string& name, uint64_t seed, const TaskOptions& options = {});

}  // namespace fude
