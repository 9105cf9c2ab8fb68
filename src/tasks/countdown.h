// Countdown: "Use 3, 5, 6 and 8 to make 24." The answer is any expression of + - * / with that value that takes each of
// the numbers at most once.
//
// The difficulty is how many numbers there are, from 3 to 6. Values are exact fractions, so 8 / (3 - 8 / 3) is 24, as
// in the card game; the generator itself needs no fractions. There is no single right answer, and so nothing for a vote
// to agree on: this is a task for search and for pass@k. Its solution shows the search: a few tries that miss, then the
// one that does not.
#pragma once

#include "tasks/generated_task.h"

namespace fude {

class Countdown : public GeneratedTask {
 public:
  explicit Countdown(uint64_t seed, const TaskOptions& options = {});

  // The expression behind each "answer" or 答え counts, else the whole text; "= 24" may follow it. `question.given`
  // says target and numbers: "24: 3 5 6 8".
  bool verify(const Question& question, std::string_view model_answer) const override;

 protected:
  Draft draft(Random& random, Language language, int difficulty) const override;
};

}  // namespace fude
