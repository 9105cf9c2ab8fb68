#include "model/flop.h"

#include <algorithm>

namespace fude {
namespace {

int64_t mlp_weights(const ModelConfig& c) { return c.width * c.feed_forward * (c.is_gated() ? 3 : 2); }

// Of a layer, for all its heads.
double attention_products_of(const ModelConfig& c, int64_t layer, int64_t tokens, int64_t before) {
  // Queries that see all before them, then those that see a whole window.
  const int64_t full = c.is_local(layer) ? std::clamp<int64_t>(c.window - before, 0, tokens) : tokens;
  const double pairs =
      double(full) * (double(before) + double(full + 1) / 2) + double(tokens - full) * double(c.window);
  return 2 * pairs * double(c.heads * c.head_size);  // q·k, and p·v
}

}  // namespace

int64_t block_weights(const ModelConfig& c) {
  return c.layers * (c.width * (c.qkv_width() + c.heads * c.head_size) + mlp_weights(c));
}

int64_t classifier_weights(const ModelConfig& c) { return c.width * c.vocabulary; }

double attention_products(const ModelConfig& c, int64_t tokens, int64_t before) {
  double products = 0;
  for (int64_t layer = 0; layer < c.layers; ++layer) products += attention_products_of(c, layer, tokens, before);
  return products;
}

double prompt_products(const ModelConfig& c, int64_t tokens) {
  const double others = double(tokens - 1);
  const double not_needed = others * double(c.width * c.heads * c.head_size + mlp_weights(c)) +
                            attention_products_of(c, c.layers - 1, tokens - 1, 0);
  return double(tokens * block_weights(c) + classifier_weights(c)) + attention_products(c, tokens) - not_needed;
}

}  // namespace fude
