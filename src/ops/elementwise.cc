#include "ops/elementwise.h"

namespace fude {

Tensor add(const Pass& pass, const Tensor& a, const Tensor& b) {
  require_shape("add", "b", b, a.shape());
  Tensor y = pass.empty(a.shape());
  pass.kernels.add(pass.threads(), a, b, y);
  pass.on_backward([&pass, a, b, y = y.id()](Gradients& d) {
    const Tensor dy = d.take(y);
    if (dy.is_empty()) return;
    pass.kernels.accumulate(pass.threads(), dy, d.into(a));
    pass.kernels.accumulate(pass.threads(), dy, d.into(b));
  });
  return y;
}

Tensor gelu(const Pass& pass, const Tensor& x) {
  Tensor y = pass.empty(x.shape());
  pass.kernels.gelu(pass.threads(), x, y);
  pass.on_backward([&pass, x, y = y.id()](Gradients& d) {
    const Tensor dy = d.take(y);
    if (!dy.is_empty()) pass.kernels.gelu_backward(pass.threads(), dy, x, d.into(x));
  });
  return y;
}

}  // namespace fude
