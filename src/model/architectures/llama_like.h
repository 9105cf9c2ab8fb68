// What the families of Llama's shape share: config.json's spelling and the tensor names.
#pragma once

#include "base/json.h"
#include "model/architecture.h"

namespace fude {

constexpr double kLlamaEps = 1e-6;  // where a file names none, and of a new model

// Reads and writes the common keys.
ModelConfig read_llama_like(const Json& json, const char* family);
Json write_llama_like(const ModelConfig& config, const char* architecture);
TensorNames llama_like_names();

}  // namespace fude
