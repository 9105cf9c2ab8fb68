// A model as one GGUF file: its tensors under the names of the family's own files. Rows lie in the format of the
// file; those that llama.cpp keeps in another order are put back.
#pragma once

#include <memory>

#include "model/gguf_config.h"
#include "model/weight_source.h"

namespace fude {

std::unique_ptr<WeightSource> open_gguf(std::shared_ptr<const GgufFile> file);

}  // namespace fude
