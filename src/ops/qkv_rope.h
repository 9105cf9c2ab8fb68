// Splits fused queries, keys and values, normalises queries and keys per head (QK-norm, when given), and turns them by
// their position (rotary embedding, Su et al., 2021; halves i and i + D/2 form the pairs, as in Llama's HF layout).
//
//   qkv_NX, X = (H + 2G) · D  →  q_NHD, k_NGD, v_NGD, all f32
#pragma once

#include "ops/pass.h"

namespace fude {

struct Rotation {
  std::vector<float> cos_PD, sin_PD;  // [positions, head_size / 2]
  int64_t positions = 0;
};

// cos and sin of position · frequency, times a scale; computed in f64.
Rotation make_rotation(int64_t positions, const std::vector<double>& frequencies_D2, double scale = 1);

struct QkvRopeOptions {
  int64_t heads, kv_heads, head_size;
  const Parameter* q_norm_D = nullptr;
  const Parameter* k_norm_D = nullptr;
  float norm_eps = 1e-6f;
  const Rotation* rotation = nullptr;  // null: positions are not turned
};

struct Qkv {
  Tensor q_NHD, k_NGD, v_NGD;
};

Qkv qkv_rope(const Pass& pass, const Tensor& qkv_NX, const QkvRopeOptions& options,
             const std::vector<int32_t>& positions_N);

}  // namespace fude
