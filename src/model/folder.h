// A model as a Hugging Face folder: config.json and model.safetensors (one file, or shards with their index).
#pragma once

#include <memory>
#include <string>

#include "model/transformer.h"

namespace fude {

ModelConfig read_config(const std::string& folder);

// Error if a tensor is missing, has another shape, or is left over.
std::unique_ptr<Transformer> load_model(Device& device, const std::string& folder, Precision precision = {});

// Writes config.json and model.safetensors (F32), each atomically; the folder is made if it is not there.
void save_model(const Transformer& model, const std::string& folder);

}  // namespace fude
