#include "ops/qkv_rope.h"

#include <algorithm>
#include <cmath>

namespace fude {

Rotation::Rotation(int64_t positions, std::vector<double> frequencies_D2, double scale)
    : positions_(positions), frequencies_D2_(std::move(frequencies_D2)), scale_(scale) {
  require(positions > 0, "[rope] expected at least one position, got {}", positions);
  const size_t blocks = size_t((positions + kRotationBlock - 1) / kRotationBlock);
  made_ = std::make_unique<std::once_flag[]>(blocks);
  owned_ = std::make_unique<std::unique_ptr<float[]>[]>(blocks);
  blocks_ = std::make_unique<const float*[]>(blocks);
}

void Rotation::make_block(int64_t block) const {
  const int64_t half = int64_t(frequencies_D2_.size()), first = block * kRotationBlock;
  auto rows = std::make_unique<float[]>(size_t(kRotationBlock * 2 * half));
  for (int64_t p = 0; p < std::min(kRotationBlock, positions_ - first); ++p)
    for (int64_t i = 0; i < half; ++i) {
      const double angle = double(first + p) * frequencies_D2_[size_t(i)];
      rows[size_t(p * 2 * half + i)] = float(scale_ * std::cos(angle));
      rows[size_t((p * 2 + 1) * half + i)] = float(scale_ * std::sin(angle));
    }
  blocks_[size_t(block)] = rows.get();
  owned_[size_t(block)] = std::move(rows);
}

const float* const* Rotation::blocks_for(std::span<const int32_t> positions_N) const {
  int64_t last = -1;
  for (const int32_t position : positions_N) {
    require(position >= 0 && position < positions_, "[qkv_rope] position {} is beyond the model's context of {}",
            position, positions_);
    const int64_t block = position / kRotationBlock;
    if (block != last) std::call_once(made_[size_t(block)], [&] { make_block(block); });
    last = block;
  }
  return blocks_.get();
}

const float* Rotation::of(int32_t position) const {
  const float* block = blocks_for({&position, 1})[position / kRotationBlock];
  return block + position % kRotationBlock * head_size();
}

Qkv qkv_rope(const Pass& pass, const Tensor& qkv_NX, const QkvRopeOptions& options,
             const std::vector<int32_t>& positions_N) {
  const int64_t n = qkv_NX.rows(), h = options.heads, g = options.kv_heads, d = options.head_size;
  require_shape("qkv_rope", "qkv", qkv_NX, {n, (h + 2 * g) * d});
  require(int64_t(positions_N.size()) == n, "[qkv_rope] expected {} positions, got {}", n, positions_N.size());
  require((options.q_norm_D == nullptr) == (options.k_norm_D == nullptr), "[qkv_rope] expected both norms or none");
  QkvRope arguments{h, g, d, nullptr, nullptr, options.norm_eps, nullptr};
  if (options.q_norm_D != nullptr) {
    require_shape("qkv_rope", "q_norm", options.q_norm_D->values(), {d});
    require_shape("qkv_rope", "k_norm", options.k_norm_D->values(), {d});
    arguments.q_norm_D = options.q_norm_D->values().data<float>();
    arguments.k_norm_D = options.k_norm_D->values().data<float>();
  }
  if (options.rotation != nullptr) {
    require(options.rotation->head_size() == d, "[qkv_rope] expected a rotation of {} elements, got {}", d,
            options.rotation->head_size());
    if (!pass.device.only_counts()) arguments.rotation_blocks = options.rotation->blocks_for(positions_N);
  }
  Qkv result{pass.empty({n, h, d}), pass.empty({n, g, d}), pass.empty({n, g, d})};
  pass.kernels.qkv_rope(pass.threads(), qkv_NX, arguments, positions_N, result.q_NHD, result.k_NGD, result.v_NGD);
  // Only the norms' backward reads qkv.
  pass.on_backward([&pass, qkv_NX = options.q_norm_D ? qkv_NX : Tensor(), qkv = qkv_NX.id(), shape = qkv_NX.shape(),
                    options, arguments, positions_N, q = result.q_NHD.id(), k = result.k_NGD.id(),
                    v = result.v_NGD.id()](Gradients& d) {
    const Tensor dq = d.take(q), dk = d.take(k), dv = d.take(v);
    if (dq.is_empty() && dk.is_empty() && dv.is_empty()) return;
    pass.kernels.qkv_rope_backward(pass.threads(), dq, dk, dv, qkv_NX, arguments, positions_N, d.into(qkv, shape),
                                   d.into_if_wanted(options.q_norm_D), d.into_if_wanted(options.k_norm_D));
  });
  return result;
}

}  // namespace fude
