#include "model/flop.h"

namespace fude {

int64_t block_weights(const ModelConfig& c) {
  const int64_t mlp = (c.mlp == MlpKind::silu_gated ? 3 : 2) * c.feed_forward;
  return c.layers * c.width * (c.qkv_width() + c.heads * c.head_size + mlp);
}

int64_t classifier_weights(const ModelConfig& c) { return c.width * c.vocabulary; }

double attention_products(const ModelConfig& c, int64_t tokens, int64_t before) {
  const double pairs = double(tokens) * (double(before) + double(tokens + 1) / 2);  // of a query and a key
  return 2 * pairs * double(c.layers * c.heads * c.head_size);                      // q·k, and p·v
}

}  // namespace fude
