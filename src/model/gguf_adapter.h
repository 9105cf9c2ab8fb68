// An adapter as llama.cpp keeps it: a GGUF file with general.type = "adapter", adapter.type = "lora", and tensors
// `blk.0.attn_q.weight.lora_a` [rank, in] and `….lora_b` [out, rank]; `token_embd.weight.lora_a` is [vocabulary, rank].
// The scale is adapter.lora.alpha / rank. A head that is tied to the embedding is adapted as `output.weight`.
#pragma once

#include <string>
#include <vector>

#include "model/lora.h"

namespace fude {

// Error if the file is not whole, is no adapter, is one for another architecture, or has tensors that are not in pairs.
// The matrices are read while the result lives.
std::vector<LoraPair> read_gguf_adapter(const std::string& path, const ModelConfig& config);

}  // namespace fude
