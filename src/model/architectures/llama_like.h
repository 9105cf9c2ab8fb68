// What the families of Llama's shape share: config.json's spelling and the tensor names.
#pragma once

#include "base/json.h"
#include "model/architecture.h"

namespace fude {

// Reads the common keys; rope_theta in the spelling of transformers 4 or 5 (rope_parameters). Scaled ropes are refused.
ModelConfig read_llama_like(const Json& json, const char* family);
// Writes them so that transformers 4 and 5 both read the base.
Json write_llama_like(const ModelConfig& config, const char* architecture);
TensorNames llama_like_names();

}  // namespace fude
