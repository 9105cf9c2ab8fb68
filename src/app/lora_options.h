// Options of commands that may train an adapter in place of the model.
#pragma once

#include <optional>
#include <string>

#include "app/commands.h"
#include "base/json.h"
#include "model/lora_training.h"

namespace fude {

struct LoraChoice {
  int64_t rank = 0;  // 0: the model itself is trained
  double alpha = 0;  // 0: twice the rank
  std::vector<std::string> targets;
  std::string compute = "file";  // of the weights that stay as they are
  std::string adapter;           // that is trained further, in place of a new one

  // Nothing without a rank or an adapter.
  std::optional<LoraOptions> options(uint64_t seed) const;
  Precision precision() const { return precision_of(compute); }
};

// --lora and what belongs to it.
void add_lora(CLI::App& command, LoraChoice& choice);

// What the model of a run is kept in: `frozen` beside an adapter, else `compute`. Error if both are given.
Precision precision_of_run(const std::optional<LoraOptions>& lora, Precision frozen, DType compute);

// For the identity of a run.
Json json_of(const std::optional<LoraOptions>& lora, Precision frozen);

}  // namespace fude
