// What commands are given as a model: a Hugging Face folder, a GGUF file, or the name of one in the cache
// (fetch/pull.h); opened once, with the tokenizer that comes with it.
#pragma once

#include <memory>
#include <string>

#include "model/load.h"
#include "model/lora.h"
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

// What it is called after its place: "models/tiny.gguf" is "tiny", "models/tiny-0.6b/" is "tiny-0.6b".
std::string name_of_model(const std::string& model);

// Tells apart models that were one after the other under the same name: of its files the sizes, and bytes from all over
// them. Empty for no model.
std::string fingerprint_of(const std::string& model);

// A model that is run and not trained.
struct LoadedModel {
  Tokenizer tokenizer;
  std::unique_ptr<Transformer> model;
};
LoadedModel load_for_use(Device& device, const std::string& model, Precision precision);

// The help of --adapter.
inline constexpr const char* kAdapterHelp = "LoRA adapter beside the model: a folder of PEFT, or a GGUF file";
// Null if no path is given.
std::shared_ptr<const Adapter> load_adapter_if_given(const Transformer& model, const std::string& path);

// The tokens of a text, begun as the tokenizer says.
std::vector<TokenId> sequence_of(const Tokenizer& tokenizer, const std::string& text);

}  // namespace fude
