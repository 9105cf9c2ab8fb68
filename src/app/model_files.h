// What commands are given as a model: a Hugging Face folder, a GGUF file, or the name of one in the cache
// (fetch/pull.h).
#pragma once

#include <memory>
#include <string>

#include "app/commands.h"
#include "model/lora.h"
#include "text/tokenizer.h"

namespace fude {

// The help of the option that takes it.
inline constexpr const char* kModelHelp = "model folder (Hugging Face layout), GGUF file, or a name of fude pull";

// What it is called after its place: "models/tiny.gguf" is "tiny", "models/tiny-0.6b/" is "tiny-0.6b".
std::string name_of_model(const std::string& model);

// Tells apart models that were one after the other under the same name: of the fingerprints of its files
// (data/identity.h). Empty for no model.
std::string fingerprint_of(const std::string& model);

// The help of --adapter.
inline constexpr const char* kAdapterHelp = "LoRA adapter beside the model: a folder of PEFT, or a GGUF file";
void add_adapter_option(CLI::App& command, std::string& adapter);
// Null if no path is given.
std::shared_ptr<const Adapter> load_adapter_if_given(const Transformer& model, const std::string& path);

// The tokens of a text, begun as the tokenizer says.
std::vector<TokenId> sequence_of(const Tokenizer& tokenizer, const std::string& text);

}  // namespace fude
