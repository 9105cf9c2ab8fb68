// layer: tasks
// A task from a stranger: refused with an Error, or each of its questions can be asked, and takes its own answer and
// solution.
#include <optional>

#include "base/error.h"
#include "tasks/jsonl_task.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fude;
  std::optional<JsonlTask> task;
  try {
    task.emplace("fuzz", std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error&) { return 0; }
  // From here on an Error is a finding.
  std::vector<Example> examples;
  for (int64_t i = 0; i < task->held_out_count(); ++i) examples.push_back(task->held_out(i));
  Random random{1, 2};
  for (const Language language : task->languages()) examples.push_back(task->practice(random, language));
  if (examples.empty()) __builtin_trap();
  for (const auto& [question, solution] : examples)
    if (!task->difficulties().contains(question.difficulty) || !task->verify(question, question.answer) ||
        (!solution.empty() && !task->verify(question, solution)))
      __builtin_trap();
  return 0;
}
