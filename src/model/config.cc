#include "model/config.h"

#include "base/error.h"

namespace fude {

void check(const ModelConfig& c) {
  const auto positive = [](const char* name, int64_t value, int64_t limit) {
    require(value > 0 && value <= limit, "[config] {} must be between 1 and {}, got {}", name, limit, value);
  };
  positive("vocabulary", c.vocabulary, 4 << 20);
  positive("width", c.width, 1 << 17);
  positive("layers", c.layers, 1000);
  positive("heads", c.heads, 1024);
  positive("kv_heads", c.kv_heads, 1024);
  positive("head_size", c.head_size, 1024);
  positive("feed_forward", c.feed_forward, 1 << 20);
  positive("context", c.context, 1 << 24);
  require(c.heads % c.kv_heads == 0, "[config] heads ({}) must be a multiple of kv_heads ({})", c.heads, c.kv_heads);
  require(!c.has_rope || c.head_size % 2 == 0, "[config] head_size must be even, got {}", c.head_size);
  require(!c.has_rope || c.context * c.head_size <= int64_t(1) << 28,
          "[config] the rotations of {} positions and a head_size of {} would take more than a gigabyte", c.context,
          c.head_size);
  require(c.norm_eps > 0 && c.norm_eps < 1, "[config] norm_eps is out of range, got {}", c.norm_eps);
  check(c.rope), check(c.local_rope);
  require(c.is_local_L.empty() || int64_t(c.is_local_L.size()) == c.layers, "[config] expected {} layer types, got {}",
          c.layers, c.is_local_L.size());
  require(c.is_local_L.empty() == (c.window == 0) && c.window >= 0 && c.window <= 1 << 24,
          "[config] expected a window of 1 to {} with local layers, got {}", 1 << 24, c.window);
  require(c.attention_scale >= 0 && c.attention_scale < 1e3 && c.embedding_scale > 0 && c.embedding_scale < 1e6,
          "[config] the scale of attention or of embeddings is out of range");
}

}  // namespace fude
