// `fude scorer` as a function: from settings to a scorer in a folder. `fude life` calls it too.
#pragma once

#include <string>

#include "app/commands.h"
#include "app/task_options.h"
#include "posttrain/judged_answers.h"

namespace fude {

struct ScorerSettings {
  std::string model, out;
  TaskChoice task;
  JudgeOptions ask{.questions = 2000};
  bool balances = true;  // right and wrong answers to each question
  double epochs = 1, learning_rate = 1e-4;
  int64_t step_tokens = 8192, batch = 64;
  int64_t held_out = 100, validate_every = 100, save_every = 100;
};

// Returns whether it reached the end; Ctrl-C saves.
bool train_scorer(ScorerSettings settings, const CommonOptions& common);

}  // namespace fude
