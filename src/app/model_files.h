// What commands are given as a model: a Hugging Face folder, a GGUF file, or the name of one in the cache
// (fetch/pull.h); opened once, with the tokenizer that comes with it.
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

// The help of the option that takes it.
inline constexpr const char* kModelHelp = "model folder (Hugging Face layout), GGUF file, or a name of fude pull";

// Error if `model` is none of these, before anything is said of tokenizers.
ModelFiles open_model(const std::string& model);

// A model that is run and not trained.
struct LoadedModel {
  Tokenizer tokenizer;
  std::unique_ptr<Transformer> model;
};
LoadedModel load_for_use(Device& device, const std::string& model, Precision precision);

}  // namespace fude
