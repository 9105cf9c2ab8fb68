// A task's worked solution as an assistant's message: its last line is said, the lines before it are thought.
#pragma once

#include "base/json.h"
#include "tasks/task.h"

namespace fude {

inline Json worked_answer(const Example& example) {
  const std::string& solution = example.solution;
  const size_t last = solution.rfind('\n');
  Json message = {{"role", "assistant"}, {"content", last == solution.npos ? solution : solution.substr(last + 1)}};
  if (last != solution.npos) message["reasoning_content"] = solution.substr(0, last);
  return message;
}

}  // namespace fude
