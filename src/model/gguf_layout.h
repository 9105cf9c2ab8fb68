// How llama.cpp calls families and their tensors, and how it keeps the rows of queries and keys.
//
// Its rotary embedding of Llama turns neighbouring rows, (0, 1), (2, 3), …, where Hugging Face's turns rows half a head
// apart, (0, D/2), (1, D/2 + 1), …; so its converter sorts the rows of Llama's queries and keys pair by pair.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace fude {

struct GgufFamily {
  const char *architecture, *family;  // general.architecture, and model_type of config.json
  bool interleaves_pairs;             // rows of queries and keys
};

// Error naming the known ones if there is no such one.
const GgufFamily& gguf_family_of_architecture(std::string_view architecture);
const GgufFamily& gguf_family_of_model(const ModelConfig& config);

// What tensors are called in the family's own files → in GGUF, whether the model has them or not.
std::map<std::string, std::string> gguf_names_of(const ModelConfig& config);

// Whether a tensor of that GGUF name has its rows pair by pair.
bool has_pairs(const GgufFamily& family, std::string_view gguf_name);
// Where a row lies there: 0, 1, …, D/2, D/2 + 1, … of a head at 0, 2, …, 1, 3, …
int64_t paired_row(int64_t row, int64_t head_size);
// Rows of a head, of `cols` values: (0, D/2, 1, D/2 + 1, …) become (0, 1, …, D/2, D/2 + 1, …), and back.
std::vector<float> part_pairs(const std::vector<float>& values, int64_t head_size, int64_t cols);
std::vector<float> join_pairs(const std::vector<float>& values, int64_t head_size, int64_t cols);

}  // namespace fude
