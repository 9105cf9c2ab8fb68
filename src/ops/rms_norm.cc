#include "ops/rms_norm.h"

namespace fude {

Tensor rms_norm(const Pass& pass, Residual& x, const Parameter& weight_C, float eps) {
  require_shape("rms_norm", "weight", weight_C.values(), {x.sum_NC.cols()});
  const Residual terms = begin_sum(pass, x);
  Tensor y_NC = pass.empty(x.sum_NC.shape()), r_N = pass.empty({x.sum_NC.rows()});
  pass.kernels.rms_norm(pass.threads(), terms.sum_NC, terms.pending_NC, weight_C.values(), eps, x.sum_NC, y_NC, r_N);
  pass.on_backward([&pass, x_NC = x.sum_NC, r_N, y = y_NC.id(), &weight_C](Gradients& d) {
    const Tensor dy_NC = d.take(y);
    if (dy_NC.is_empty()) return;
    pass.kernels.rms_norm_backward(pass.threads(), dy_NC, x_NC, weight_C.values(), r_N, d.into(x_NC),
                                   d.into_if_wanted(&weight_C));
  });
  pass.on_remake(y_NC, [&pass, x_NC = x.sum_NC, r_N, &weight_C, eps]() mutable {
    Tensor y_NC = pass.empty(x_NC.shape());
    pass.kernels.rms_norm(pass.threads(), x_NC, {}, weight_C.values(), eps, x_NC, y_NC, r_N);
    return y_NC;
  });
  return y_NC;
}

}  // namespace fude
