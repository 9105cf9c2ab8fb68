// An adapter as PEFT keeps it: adapter_config.json beside adapter_model.safetensors.
//
// The scale is lora_alpha / r, or lora_alpha / √r with use_rslora (Kalajdzievski, "A rank stabilization scaling factor
// for fine-tuning with LoRA", 2023); rank_pattern and alpha_pattern give modules numbers of their own. PEFT has dozens
// of variants under the same peft_type, and each new one brings a key: what is not known to be harmless must be off.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "model/lora.h"
#include "model/module_pattern.h"

namespace fude {

// adapter_config.json, checked. Error naming the key that is wrong or not supported.
struct PeftConfig {
  int64_t rank = 0;
  double alpha = 0;
  bool is_rank_stabilised = false;
  std::vector<std::string> targets;                      // ends of module names; empty: whatever has tensors
  std::vector<std::pair<ModulePattern, int64_t>> ranks;  // the first that fits
  std::vector<std::pair<ModulePattern, double>> alphas;
  bool ties_head = false;  // the head's adapter is the embedding's, and no target of its own
  std::string base_model;  // as it was called where the adapter was trained; may be empty
};
bool is_peft_folder(const std::string& folder);

inline constexpr const char *kPeftConfigName = "/adapter_config.json", *kPeftTensorsName = "/adapter_model.safetensors";
// What the file calls A and B beside a tensor of the model.
struct PeftNames {
  std::string a, b;
};
PeftNames peft_names(const std::string& weight, bool is_embedding);

PeftConfig read_peft_config(const std::string& folder);

// Error if tensors do not come in pairs of the ranks that the configuration says. The matrices are read while the
// result lives.
//
// Beside A and B of embedding and head PEFT saves the weights themselves (`base_layer`). Where these are tied, each
// still has A and B of its own: an adapter of one is none of the other.
std::vector<LoraPair> read_peft_folder(const std::string& folder);

}  // namespace fude
