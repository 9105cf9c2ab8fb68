// A model on disk with the tokenizer that comes with it: a Hugging Face folder or a GGUF file, opened once.
#pragma once

#include <memory>
#include <string>

#include "model/load.h"
#include "tensor/gguf.h"
#include "text/tokenizer.h"

namespace fude {

struct ModelFiles {
  std::shared_ptr<const GgufFile> gguf;  // null: a folder
  std::unique_ptr<WeightSource> weights;
  Tokenizer tokenizer;
};

// Error if there is no model at this path, before anything is said of tokenizers.
ModelFiles open_model(const std::string& path);

// A model that is run and not trained.
struct LoadedModel {
  Tokenizer tokenizer;
  std::unique_ptr<Transformer> model;
};
// Without a precision its matrices stay as the file has them.
LoadedModel load_for_use(Device& device, const std::string& path,
                         Precision precision = {.keeps_master = false, .keeps_formats = true});

}  // namespace fude
