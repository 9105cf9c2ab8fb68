// What commands are given as a model: a Hugging Face folder or a GGUF file, with the tokenizer that comes with it.
#pragma once

#include <string>

#include "text/tokenizer.h"

namespace fude {

// Error if `path` is neither, before anything is said of tokenizers.
Tokenizer tokenizer_of_model(const std::string& path);

}  // namespace fude
