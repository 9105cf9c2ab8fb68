// A model as one GGUF file: what its metadata says in the words of config.json, and its tensors under the names of the
// family's own files. Weights are decoded; rows that llama.cpp keeps in another order (Llama's queries and keys, whose
// pairs lie beside each other there) are put back.
#pragma once

#include <memory>
#include <string>

#include "model/weight_source.h"
#include "tensor/gguf.h"

namespace fude {

// Error if the architecture is not known here, or the file asks for what Fude has not.
ModelConfig config_of_gguf(const GgufFile& file);

std::unique_ptr<WeightSource> open_gguf(const std::string& path);

}  // namespace fude
