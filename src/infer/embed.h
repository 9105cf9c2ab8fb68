// Embeddings of many texts by an engine: requests like any other, which answers may run beside. An embedding is a
// function of its text, the model and the adapter, and of nothing that ran with it or before.
#pragma once

#include <string>
#include <vector>

#include "infer/engine.h"

namespace fude {

// One vector [C] for each prompt, in their order. Error if a prompt is empty or longer than the engine's context, if
// there is no such adapter, or if a request fails. The engine's other requests go on meanwhile.
std::vector<std::vector<float>> embed(Engine& engine, const std::vector<std::vector<int32_t>>& prompts,
                                      const EmbeddingOptions& options = {}, const std::string& adapter = {});

}  // namespace fude
