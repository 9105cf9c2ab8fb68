// `fude rl` as a function: from settings to a finished run in a folder. `fude life` calls it too.
#pragma once

#include <optional>
#include <string>

#include "app/commands.h"
#include "app/task_options.h"
#include "model/lora_training.h"
#include "posttrain/grpo.h"
#include "train/trainer.h"

namespace fude {

struct RlSettings {
  std::string model, out;
  TaskChoice task;
  GrpoOptions grpo;
  DType compute = DType::f32;
  std::optional<LoraOptions> lora;  // trains an adapter; the model stays as it is
  Precision frozen;                 // of the model then
  Schedule schedule{.kind = ScheduleKind::constant, .learning_rate = 1e-5, .steps = 200, .warmup_steps = 10};
  OptimizerOptions optimizer{.beta2 = 0.99f, .weight_decay = 0};
  int64_t batch = 64;  // answers that run at a time
  int64_t held_out = 200, validate_every = 20, save_every = 20, keep = 2;
};

// Returns whether it reached the end; Ctrl-C saves.
bool train_by_answers(RlSettings settings, const CommonOptions& common);

}  // namespace fude
