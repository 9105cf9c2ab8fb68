#include "ops/qkv_rope.h"

#include <cmath>

namespace fude {

Rotation make_rotation(int64_t positions, const std::vector<double>& frequencies_D2, double scale) {
  require(positions > 0, "[rope] expected at least one position, got {}", positions);
  Rotation rotation{{}, {}, positions};
  const int64_t half = int64_t(frequencies_D2.size());
  rotation.cos_PD.resize(size_t(positions * half));
  rotation.sin_PD.resize(size_t(positions * half));
  for (int64_t i = 0; i < half; ++i) {
    const double frequency = frequencies_D2[size_t(i)];
    for (int64_t p = 0; p < positions; ++p) {
      rotation.cos_PD[size_t(p * half + i)] = float(scale * std::cos(double(p) * frequency));
      rotation.sin_PD[size_t(p * half + i)] = float(scale * std::sin(double(p) * frequency));
    }
  }
  return rotation;
}

Qkv qkv_rope(const Pass& pass, const Tensor& qkv_NX, const QkvRopeOptions& options,
             const std::vector<int32_t>& positions_N) {
  const int64_t n = qkv_NX.rows(), h = options.heads, g = options.kv_heads, d = options.head_size;
  require_shape("qkv_rope", "qkv", qkv_NX, {n, (h + 2 * g) * d});
  require(int64_t(positions_N.size()) == n, "[qkv_rope] expected {} positions, got {}", n, positions_N.size());
  require((options.q_norm_D == nullptr) == (options.k_norm_D == nullptr), "[qkv_rope] expected both norms or none");
  QkvRope arguments{h, g, d, nullptr, nullptr, options.norm_eps, nullptr, nullptr};
  if (options.q_norm_D != nullptr) {
    require_shape("qkv_rope", "q_norm", options.q_norm_D->values(), {d});
    require_shape("qkv_rope", "k_norm", options.k_norm_D->values(), {d});
    arguments.q_norm_D = options.q_norm_D->values().data<float>();
    arguments.k_norm_D = options.k_norm_D->values().data<float>();
  }
  if (options.rotation != nullptr) {
    for (int32_t position : positions_N)
      require(position >= 0 && position < options.rotation->positions,
              "[qkv_rope] position {} is beyond the model's context of {}", position, options.rotation->positions);
    arguments.cos_PD = options.rotation->cos_PD.data();
    arguments.sin_PD = options.rotation->sin_PD.data();
  }
  Qkv result{pass.empty({n, h, d}), pass.empty({n, g, d}), pass.empty({n, g, d})};
  pass.kernels.qkv_rope(pass.threads(), qkv_NX, arguments, positions_N, result.q_NHD, result.k_NGD, result.v_NGD);
  // Only the norms' backward reads qkv.
  pass.on_backward([&pass, qkv_NX = options.q_norm_D ? qkv_NX : Tensor(), qkv = qkv_NX.id(), shape = qkv_NX.shape(),
                    options, arguments, positions_N, q = result.q_NHD.id(), k = result.k_NGD.id(),
                    v = result.v_NGD.id()](Gradients& d) {
    const Tensor dq = d.take(q), dk = d.take(k), dv = d.take(v);
    if (dq.is_empty() && dk.is_empty() && dv.is_empty()) return;
    const GradientPlace none;
    pass.kernels.qkv_rope_backward(pass.threads(), dq, dk, dv, qkv_NX, arguments, positions_N, d.into(qkv, shape),
                                   options.q_norm_D ? d.into(*options.q_norm_D) : none,
                                   options.k_norm_D ? d.into(*options.k_norm_D) : none);
  });
  return result;
}

}  // namespace fude
