// Every number that defines a model; what is not a size is by default as in Qwen3. A field is what the model has to do
// otherwise; how a family's file spells it is decided under architectures/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/rope.h"

namespace fude {

enum class NormKind { rms, layer };
enum class MlpKind { silu_gated, gelu_gated, gelu };

struct ModelConfig {
  std::string family = "qwen3";  // model_type of config.json
  int64_t vocabulary = 0;
  int64_t width = 0;         // C
  int64_t layers = 0;        // L
  int64_t heads = 0;         // H
  int64_t kv_heads = 0;      // G
  int64_t head_size = 0;     // D
  int64_t feed_forward = 0;  // F
  int64_t context = 0;       // largest position + 1
  NormKind norm = NormKind::rms;
  MlpKind mlp = MlpKind::silu_gated;
  double norm_eps = 1e-6;
  bool has_rope = true;  // otherwise positions are learned
  RopeConfig rope;
  // Layers that see only the last `window` positions, and turn by a rope of their own. Empty: none.
  std::vector<bool> is_local_L;
  int64_t window = 0;
  RopeConfig local_rope;
  double attention_scale = 0;  // of the scores; 0: 1 / √head_size
  double embedding_scale = 1;
  bool has_qk_norm = true;
  bool has_post_norms = false;  // attention and MLP end in a norm as well
  bool ties_head = true;        // the classifier is the embedding table

  bool operator==(const ModelConfig&) const = default;
  bool is_local(int64_t layer) const { return !is_local_L.empty() && is_local_L[size_t(layer)]; }
  bool is_gated() const { return mlp != MlpKind::gelu; }
  int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_size; }
};

// Error naming the field unless every number is positive, within limits, and fits the others.
void check(const ModelConfig& config);

}  // namespace fude
