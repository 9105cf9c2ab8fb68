// A model as a Hugging Face folder: config.json and model.safetensors (one file, or shards with their index).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/transformer.h"
#include "model/weight_source.h"

namespace fude {

ModelConfig read_folder_config(const std::string& folder);
// The files that hold its weights: model.safetensors, or where there is none those that an index names, as in
// transformers.
std::vector<std::string> weight_files(const std::string& folder);
std::unique_ptr<WeightSource> open_folder(const std::string& folder);

// Writes model.safetensors (F32), above 5 GB shards and then their index, what belongs `beside` it (the tokenizer), and
// config.json last: a new folder that has it is whole. Each is written atomically. The folder is made if it is not
// there.
void save_model(const Transformer& model, const std::string& folder, const FolderFiles& beside = {});

}  // namespace fude
