#include "ops/elementwise.h"

#include "ops/residual.h"

namespace fude {

Tensor add(const Pass& pass, const Tensor& a, const Tensor& b) {
  require_shape("add", "b", b, a.shape());
  Residual x{a, b};
  begin_sum(pass, x);
  pass.kernels.add(pass.threads(), a, b, x.sum_NC);
  return x.sum_NC;
}

Tensor gelu(const Pass& pass, const Tensor& x) {
  const auto make = [&pass, x] {
    Tensor y = pass.empty(x.shape());
    pass.kernels.gelu(pass.threads(), x, y);
    return y;
  };
  const Tensor y = make();
  pass.on_backward([&pass, x, y = y.id()](Gradients& d) {
    const Tensor dy = d.take(y);
    if (!dy.is_empty()) pass.kernels.gelu_backward(pass.threads(), dy, x, d.into(x));
  });
  pass.on_remake(y, make);
  return y;
}

}  // namespace fude
