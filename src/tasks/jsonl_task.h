// A task of the user's own: a JSONL file with a question a line (docs/tasks.md), judged as the built-in ones are.
//
// A line may say whether it is held out; a hash of the prompt decides for the others, so that a file may grow and no
// question changes sides. Mistakes are found when the file is read, not in the middle of a run: an answer or a solution
// that the judge would refuse, and a prompt that comes twice, are errors that name their line.
#pragma once

#include <string>
#include <vector>

#include "tasks/task.h"

namespace fude {

class JsonlTask : public Task {
 public:
  // `text` is what the file holds, `name` its name for messages.
  JsonlTask(std::string name, std::string_view text, const TaskOptions& options = {});

  std::string_view name() const override { return name_; }
  DifficultyRange difficulties() const override { return range_; }
  // Those of its practice questions.
  std::vector<Language> languages() const override;
  Example practice(Random& random, Language language) const override;
  // In the order of the file.
  int64_t held_out_count() const override { return int64_t(held_out_.size()); }
  Example held_out(int64_t index) const override;

 private:
  std::string name_;
  DifficultyRange range_;
  std::vector<Example> practice_[2];  // by language
  std::vector<Example> held_out_;
};

}  // namespace fude
