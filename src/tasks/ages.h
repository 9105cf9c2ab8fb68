// Puzzles about two people's ages, from a sum and a difference to "the princess is as old as the prince will be when
// the princess is twice as old as the prince was when the princess's age was half the sum of their present ages".
//
// Difficulty 1: sum and difference; 2: sum and ratio; 3: the ratio of some years ago or ahead; 4 to 6: one to three
// nested moments. All conditions of a nest are linear in the two ages, so each moment is solved with exact fractions,
// and the sum of the ages, which is given, leaves one answer. The solution goes moment by moment from the inside.
#pragma once

#include "tasks/generated_task.h"

namespace fude {

class Ages : public GeneratedTask {
 public:
  explicit Ages(uint64_t seed, const TaskOptions& options = {});

 protected:
  Draft draft(Random& random, Language language, int difficulty) const override;
};

}  // namespace fude
