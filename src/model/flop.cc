#include "model/flop.h"

#include <algorithm>

namespace fude {

int64_t block_weights(const ModelConfig& c) {
  const int64_t mlp = (c.is_gated() ? 3 : 2) * c.feed_forward;
  return c.layers * c.width * (c.qkv_width() + c.heads * c.head_size + mlp);
}

int64_t classifier_weights(const ModelConfig& c) { return c.width * c.vocabulary; }

double attention_products(const ModelConfig& c, int64_t tokens, int64_t before) {
  double pairs = 0;  // of a query and a key, in all layers
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    // Queries that see all before them, then those that see a whole window.
    const int64_t full = c.is_local(layer) ? std::clamp<int64_t>(c.window - before, 0, tokens) : tokens;
    pairs += double(full) * (double(before) + double(full + 1) / 2) + double(tokens - full) * double(c.window);
  }
  return 2 * pairs * double(c.heads * c.head_size);  // q·k, and p·v
}

}  // namespace fude
