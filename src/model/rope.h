// How positions turn queries and keys: the base of the rotary embedding, and the scalings by which models were brought
// to longer contexts than they were trained on. config.json spells it in two ways: transformers 4 has "rope_theta" and
// "rope_scaling", transformers 5 one "rope_parameters" (read by version 4 that silently gives base 10,000). Both are
// read, and both are written.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"

namespace fude {

enum class RopeScaling {
  none,
  linear,  // every frequency divided by the factor (Chen et al., 2023)
  llama3,  // only the low ones, with a smooth passage (Llama 3.1)
  yarn     // the same by a ramp over the pairs, and cos and sin are scaled (Peng et al., 2023)
};

struct RopeConfig {
  double base = 10000;
  RopeScaling scaling = RopeScaling::none;
  double factor = 1;
  int64_t original_context = 0;            // llama3, yarn: positions before the scaling
  double low_factor = 1, high_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;    // yarn: turns over the original context where the ramp begins, ends
  bool truncates = true;                   // yarn: the ramp begins and ends at whole pairs
  double attention_factor = 1;             // yarn: cos and sin are multiplied by it

  bool operator==(const RopeConfig&) const = default;
};

// Error naming the field unless every number is in range.
void check(const RopeConfig& rope);

// Radians per position of the pairs 0 … head_size / 2 - 1.
std::vector<double> rope_frequencies(const RopeConfig& rope, int64_t head_size);

// From a config.json with either spelling; `base` where it names none. Error for a scaling that Fude has not.
RopeConfig read_rope(const Json& config, double base = 10000);
// Adds "rope_theta", "rope_scaling" (if there is any) and "rope_parameters".
void write_rope(const RopeConfig& rope, Json& config);

// One dictionary of either spelling, and back.
RopeConfig rope_from_json(const Json& parameters, double base, int64_t context);
Json rope_to_json(const RopeConfig& rope);

}  // namespace fude
