// A miniature of AIME: a chain of definitions, or a little story, whose answer is a whole number from 0 to 999.
//
// "Let a = 7. Let b = a * 3 - 2. Let c = a + b. What is c?" Its difficulty is the number of operations, from 2 to 12,
// each of + - * mod, and each needed for the answer; every value on the way is from 0 to 999 too. A solution has a line
// for each definition, so that a program can say of every line whether it is right: labels for reward models of the
// process come for nothing. In a share of the solutions a line is wrong, and the next one notices and repairs it.
#pragma once

#include <string>
#include <vector>

#include "tasks/generated_task.h"

namespace fude {

class MiniAime : public GeneratedTask {
 public:
  explicit MiniAime(uint64_t seed, const TaskOptions& options = {});
  // "b = 7 * 3 = 21" is right if all its sides are equal and are what b is; a line without a name must give the
  // value behind all that right lines have given. A line that states the answer is right if it does; any other line is
  // wrong.
  std::vector<CheckedLine> check_steps(const Question& question, std::string_view work) const override;

 protected:
  Draft draft(Random& random, Language language, int difficulty) const override;

 private:
  double repairs_;
};

}  // namespace fude
