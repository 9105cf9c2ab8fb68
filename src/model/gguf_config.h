// A model's configuration in the words of GGUF, both ways.
//
// Read, the metadata are put in the words of config.json, so that each family is read in one place. Written, they are
// read back and compared: what they do not say (a window of another pattern, a scale of one's own) is an error and not
// another model.
#pragma once

#include <vector>

#include "model/config.h"
#include "tensor/gguf.h"

namespace fude {

// What a file says of its model, some of it through its tensors.
struct GgufFacts {
  const GgufMetadata& metadata;
  int64_t vocabulary;                // rows of the embedding table
  bool has_head;                     // a classifier of its own
  std::vector<float> rope_divisors;  // rope_freqs.weight, which scales Llama 3's rope; mostly empty
};

// Error if the architecture is not known here, or the file asks for what Fude has not.
ModelConfig config_of_gguf(const GgufFacts& facts);
ModelConfig config_of_gguf(const GgufFile& file);

// Adds general.architecture and the keys of the model. Error if they cannot say all that the configuration does.
void put_config(const ModelConfig& config, GgufMetadata& metadata);
// What rope_freqs.weight has to hold; empty if there is none.
std::vector<float> rope_divisors_of(const ModelConfig& config);

}  // namespace fude
