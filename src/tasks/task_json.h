// Questions as JSON: lines of a user's file, what a user's program makes, what `fude tasks --json` prints. One form for
// all of them (docs/tasks.md), so that each can be read where another was written.
#pragma once

#include <string_view>

#include "base/json_fwd.h"
#include "tasks/task.h"

namespace fude {

Json to_json(const Question& question);

// Of an object with "prompt" and "answer", and what else it may have. Everything is checked, and an unknown key is an
// Error that names the nearest. `held_out` is what the object says of it.
struct ReadExample {
  Example example;
  std::optional<bool> held_out;
};
ReadExample read_example(const Json& object, std::string_view where);

}  // namespace fude
