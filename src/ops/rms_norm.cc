#include "ops/rms_norm.h"

namespace fude {

Tensor rms_norm(const Pass& pass, const Tensor& x_NC, const Parameter& weight_C, float eps) {
  require_shape("rms_norm", "weight", weight_C.values(), {x_NC.cols()});
  Tensor y_NC = pass.empty(x_NC.shape()), r_N = pass.empty({x_NC.rows()});
  pass.kernels.rms_norm(pass.threads(), x_NC, weight_C.values(), eps, y_NC, r_N);
  pass.on_backward([&pass, x_NC, r_N, y = y_NC.id(), &weight_C](Gradients& d) {
    const Tensor dy_NC = d.take(y);
    if (dy_NC.is_empty()) return;
    pass.kernels.rms_norm_backward(pass.threads(), dy_NC, x_NC, weight_C.values(), r_N, d.into(x_NC), d.into(weight_C));
  });
  return y_NC;
}

}  // namespace fude
