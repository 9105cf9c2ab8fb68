#include "ops/layer_norm.h"

namespace fude {

Tensor layer_norm(const Pass& pass, Residual& x, const Parameter& weight_C, const Parameter& bias_C, float eps) {
  require_shape("layer_norm", "weight", weight_C.values(), {x.sum_NC.cols()});
  require_shape("layer_norm", "bias", bias_C.values(), {x.sum_NC.cols()});
  const Residual terms = begin_sum(pass, x);
  const int64_t n = x.sum_NC.rows();
  Tensor y_NC = pass.empty(x.sum_NC.shape()), mean_N = pass.empty({n}), r_N = pass.empty({n});
  pass.kernels.layer_norm(pass.threads(), terms.sum_NC, terms.pending_NC, weight_C.values(), bias_C.values(), eps,
                          x.sum_NC, y_NC, mean_N, r_N);
  pass.on_backward([&pass, x_NC = x.sum_NC, mean_N, r_N, y = y_NC.id(), &weight_C, &bias_C](Gradients& d) {
    const Tensor dy_NC = d.take(y);
    if (dy_NC.is_empty()) return;
    pass.kernels.layer_norm_backward(pass.threads(), dy_NC, x_NC, weight_C.values(), mean_N, r_N, d.into(x_NC),
                                     d.into_if_wanted(&weight_C), d.into_if_wanted(&bias_C));
  });
  pass.on_remake(y_NC, [&pass, x_NC = x.sum_NC, mean_N, r_N, &weight_C, &bias_C, eps]() mutable {
    Tensor y_NC = pass.empty(x_NC.shape());
    pass.kernels.layer_norm(pass.threads(), x_NC, {}, weight_C.values(), bias_C.values(), eps, x_NC, y_NC, mean_N, r_N);
    return y_NC;
  });
  return y_NC;
}

}  // namespace fude
