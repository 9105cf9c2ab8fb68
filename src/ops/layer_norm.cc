#include "ops/layer_norm.h"

namespace fude {

Tensor layer_norm(const Pass& pass, const Tensor& x_NC, const Parameter& weight_C, const Parameter& bias_C, float eps) {
  require_shape("layer_norm", "weight", weight_C.values(), {x_NC.cols()});
  require_shape("layer_norm", "bias", bias_C.values(), {x_NC.cols()});
  Tensor y_NC = pass.empty(x_NC.shape()), mean_N = pass.empty({x_NC.rows()}), r_N = pass.empty({x_NC.rows()});
  pass.kernels.layer_norm(pass.threads(), x_NC, weight_C.values(), bias_C.values(), eps, y_NC, mean_N, r_N);
  pass.on_backward([&pass, x_NC, mean_N, r_N, y = y_NC.id(), &weight_C, &bias_C](Gradients& d) {
    const Tensor dy_NC = d.take(y);
    if (dy_NC.is_empty()) return;
    pass.kernels.layer_norm_backward(pass.threads(), dy_NC, x_NC, weight_C.values(), mean_N, r_N, d.into(x_NC),
                                     d.into(weight_C), d.into(bias_C));
  });
  return y_NC;
}

}  // namespace fude
