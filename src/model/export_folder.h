// A model of any kind of files as a Hugging Face folder, tensor by tensor, without the memory of a model.
#pragma once

#include <optional>
#include <string>

#include "base/json_fwd.h"
#include "model/weight_source.h"
#include "tensor/write_options.h"

namespace fude {

// Writes config.json and model.safetensors, each atomically; above 5 GB shards and then their index. The folder is made
// if it is not there. Tensors are of `type` (F32, F16, BF16), or without one as they lie, those in blocks as F32, so
// that no bit is lost. `more` is added to config.json.
void export_folder(const WeightSource& weights, const std::string& folder, std::optional<WeightType> type,
                   const Json& more, const WriteOptions& options);

}  // namespace fude
