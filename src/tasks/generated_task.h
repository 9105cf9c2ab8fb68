// What tasks share whose questions are drawn without end: practice, the held-out tenth, ranges of difficulty.
//
// Whether a problem is held out is a hash of the problem itself, in whatever words, language or run it comes up: a
// practice draw that falls into the held-out tenth is drawn again. So the two sets never meet, not even between a run
// with one seed and an eval with another, and no list of either has to be kept.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace fude {

// Whether a problem belongs to the held-out tenth.
bool is_held_out(std::string_view problem);

// A problem, the same string for the same problem in other words, and a question that asks it.
struct Draft {
  std::string problem;
  Example example;
};

class GeneratedTask : public Task {
 public:
  std::string_view name() const override { return name_; }
  DifficultyRange difficulties() const override { return range_; }
  Example practice(Random& random, Language language) const override;
  int64_t held_out_count() const override { return int64_t(held_out_list().size()); }
  Example held_out(int64_t index) const override;

 protected:
  // `whole` is what the task can do, of which the options choose a part.
  GeneratedTask(std::string name, uint64_t seed, DifficultyRange whole, const TaskOptions& options);

  // A problem, whether held out or not. The caller fills in language and difficulty, and the kind if it is empty.
  virtual Draft draft(Random& random, Language language, int difficulty) const = 0;

 private:
  Draft finished_draft(Random& random, Language language, int difficulty) const;
  const std::vector<Example>& held_out_list() const;

  std::string name_;
  uint64_t seed_;
  DifficultyRange range_;
  int64_t wanted_;
  mutable std::once_flag once_;
  mutable std::vector<Example> held_out_;  // made at its first use
};

}  // namespace fude
