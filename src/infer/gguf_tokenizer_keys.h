// Where GGUF files keep a tokenizer: the keys below "tokenizer.", both ways.
#pragma once

#include "tensor/gguf_metadata.h"
#include "text/gguf_tokenizer.h"

namespace fude {

// Error if there is no vocabulary, or a key has another type.
GgufTokenizer tokenizer_in(const GgufMetadata& metadata);
void put_tokenizer(const GgufTokenizer& tokenizer, GgufMetadata& metadata);

}  // namespace fude
