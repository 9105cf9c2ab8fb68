// Every number that defines a model; what is not a size is by default as in Qwen3. A field is earned by two families;
// what one family alone needs is decided in its file under architectures/.
#pragma once

#include <cstdint>
#include <string>

namespace fude {

enum class NormKind { rms, layer };
enum class MlpKind { silu_gated, gelu };

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
  double rope_base = 10000;  // unused with learned positions
  bool has_rope = true;      // otherwise positions are learned
  bool has_qk_norm = true;
  bool ties_head = true;  // the classifier is the embedding table

  bool operator==(const ModelConfig&) const = default;
  int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_size; }
};

// Error naming the field unless every number is positive, within limits, and fits the others.
void check(const ModelConfig& config);

}  // namespace fude
