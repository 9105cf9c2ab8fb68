// Models from files of any kind: a Hugging Face folder, or a GGUF file.
#pragma once

#include <memory>
#include <string>

#include "model/transformer.h"
#include "model/weight_source.h"

namespace fude {

// Whether a model's path is a GGUF file; else it is a folder's. Error for a file that can only be a part of a folder.
bool is_gguf(const std::string& path);

// Error if `path` is neither.
std::unique_ptr<WeightSource> open_weights(const std::string& path);

ModelConfig read_config(const std::string& path);

// A model with the shape and formats of what `weights` has, parameters zero.
std::unique_ptr<Transformer> make_model(Device& device, const WeightSource& weights, Precision precision);

// Error if a tensor is missing, has another shape, or is left over.
void check_tensors(const WeightSource& weights, const Transformer& model);
void check_tensors(const WeightSource& weights);  // of the model that its configuration describes
// The same first.
std::unique_ptr<Transformer> load_model(Device& device, const std::string& path, Precision precision = {});
std::unique_ptr<Transformer> load_model(Device& device, std::unique_ptr<WeightSource> weights,
                                        Precision precision = {});

}  // namespace fude
