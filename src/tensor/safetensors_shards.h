// A model's safetensors as Hugging Face lays them out in a folder: model.safetensors, or from a size on
// model-00001-of-0000N.safetensors and an index that says which tensor lies where.
#pragma once

#include <string>
#include <vector>

#include "tensor/safetensors.h"

namespace fude {

// Hugging Face's own limit.
inline constexpr int64_t kShardBytes = 5'000'000'000;

// Writes tensors in order, a shard's fitting into `shard_bytes` (a larger tensor has one of its own). An earlier model
// in the folder stays whole until all are written, and after an error; then what it has under other names is removed.
void write_safetensors_folder(const std::string& folder, const std::vector<SafetensorsOutput>& tensors,
                              const WriteOptions& options = {}, int64_t shard_bytes = kShardBytes);

}  // namespace fude
