// Splits fused queries, keys and values, normalises queries and keys per head (QK-norm, when given), and turns them by
// their position (rotary embedding, Su et al., 2021; halves i and i + D/2 form the pairs, as in Llama's HF layout).
//
//   qkv_NX, X = (H + 2G) · D  →  q_NHD, k_NGD, v_NGD, all f32
#pragma once

#include <memory>
#include <mutex>
#include <span>

#include "ops/pass.h"

namespace fude {

// cos and sin of position · frequency, times a scale; computed in f64. Blocks of positions are made when they are first
// met, so that a long context costs nothing until it is used. Safe from several threads.
class Rotation {
 public:
  Rotation(int64_t positions, std::vector<double> frequencies_D2, double scale = 1);

  // [block of positions] → [kRotationBlock, D]: cosines, then sines. Those of these positions are there. Error for a
  // position that is negative or beyond.
  const float* const* blocks_for(std::span<const int32_t> positions_N) const;
  int64_t head_size() const { return 2 * int64_t(frequencies_D2_.size()); }
  // D / 2 cosines, D / 2 sines.
  const float* of(int32_t position) const;

 private:
  void make_block(int64_t block) const;

  int64_t positions_;
  std::vector<double> frequencies_D2_;
  double scale_;
  std::unique_ptr<std::once_flag[]> made_;
  std::unique_ptr<std::unique_ptr<float[]>[]> owned_;
  std::unique_ptr<const float*[]> blocks_;
};

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
