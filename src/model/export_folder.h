// A model of any kind of files as a Hugging Face folder, tensor by tensor, without the memory of a model.
#pragma once

#include <optional>
#include <string>

#include "base/file.h"
#include "base/json_fwd.h"
#include "model/weight_source.h"
#include "tensor/write_options.h"

namespace fude {

// As save_model (model/folder.h), which says what is written and in which order. Tensors are of `type` (F32, F16,
// BF16), or without one as they lie, those in blocks as F32, so that no bit is lost. `more` is added to config.json.
void export_folder(const WeightSource& weights, const std::string& folder, std::optional<WeightType> type,
                   const Json& more, const WriteOptions& options, const FolderFiles& beside = {});

}  // namespace fude
