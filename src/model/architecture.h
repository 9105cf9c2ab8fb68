// A family of models as its file tells it: how config.json becomes a ModelConfig and back, and what the tensors are
// called. One file per family under architectures/, one line in architecture.cc.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "model/config.h"
#include "tensor/parameter.h"

namespace fude {

// File names of the tensors; "{}" stands for the layer. An empty name: the family has no such tensor.
struct TensorNames {
  std::string embedding, positions, final_norm, head;
  std::string attention_norm, mlp_norm, q_norm, k_norm;
  std::string post_attention_norm, post_mlp_norm;
  std::vector<std::string> qkv;  // one fused tensor, or q, k, v
  std::string out;
  std::vector<std::string> up;  // one tensor, or gate and up
  std::string down;
  bool weights_are_transposed = false;                  // [in, out], as GPT-2's Conv1D
  bool norms_are_less_one = false;                      // the file has w - 1
  bool qkv_has_bias = false, others_have_bias = false;  // out, up and down; "….weight" has "….bias" beside it
};

// A tensor's name in a layer: the pattern with the number for "{}".
std::string name_in_layer(const std::string& pattern, int64_t layer);
// "….weight" → "….bias"
std::string bias_of(const std::string& weight);

struct Architecture {
  const char* family;  // model_type
  ModelConfig (*read)(const Json& config);
  Json (*write)(const ModelConfig& config);
  TensorNames names;
  double norm_eps = 0;  // of a new model; 0: none is begun with random weights
};

const std::vector<const Architecture*>& architectures();
// Error naming the known families if there is no such one.
const Architecture& architecture_of(const std::string& family);

// The families that a model with random weights may be of.
std::vector<std::string> families_of_new_models();
// A new model of one of them. Of `wanted` it has the sizes that the family leaves open, the base of rope and whether
// the head is tied; what else there is, is the family's.
ModelConfig new_config(const std::string& family, ModelConfig wanted);

// One per family, in architectures/.
const Architecture& qwen3_architecture();
const Architecture& llama_architecture();
const Architecture& gpt2_architecture();
const Architecture& qwen2_architecture();
const Architecture& gemma3_architecture();

}  // namespace fude
