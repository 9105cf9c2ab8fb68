// Which tensor of a model is quantised to what: llama.cpp's mixtures and its rules (src/llama-quant.cpp there), so that
// a file of a name means the same here and there.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/gguf_contents.h"

namespace fude {

struct QuantizeMixture {
  std::string_view name;  // "Q4_K_M"
  WeightType type;        // of most tensors
  uint32_t file_type;     // general.file_type
};

// F32 and the types with 16 bits among them, for which there are no rules.
const std::vector<QuantizeMixture>& quantize_mixtures();
// In any case of letters; Q4_K and Q5_K are their _M. Error if there is none of that name; the message lists them.
const QuantizeMixture& quantize_mixture(std::string_view name);

// The type of each tensor. What is no multiple of a block in its rows falls back to another type.
std::vector<WeightType> quantized_types(const GgufContents& contents, const QuantizeMixture& mixture);

}  // namespace fude
