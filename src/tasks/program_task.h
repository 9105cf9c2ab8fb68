// A task of the user's own as a program in any language, spoken to in lines of JSON (docs/tasks.md).
//
//   {"make": {"seed", "stream", "counter", "language", "difficulty"}}  →  {"prompt", "answer", "solution"?}
//   {"verify": {"question", "answer"}}                                 →  {"right": true or false}
//
// What it makes must depend on the request alone; then runs resume. Practice and held-out questions are told apart by
// the prompt's hash, so the program need not know of the two. Not for commands that come from a stranger: it may do
// whatever the user may do.
#pragma once

#include "base/json_fwd.h"
#include "base/line_program.h"
#include "tasks/generated_task.h"

namespace fude {

class ProgramTask : public GeneratedTask {
 public:
  ProgramTask(const std::string& command, uint64_t seed, const TaskOptions& options = {});

  bool verify(const Question& question, std::string_view model_answer) const override;

 protected:
  Draft draft(Random& random, Language language, int difficulty) const override;

 private:
  Json ask(const Json& request) const;

  mutable LineProgram program_;
};

}  // namespace fude
