#include "ops/gated.h"

namespace fude {

Tensor silu_gated(const Pass& pass, const Tensor& gate_up_N2F) {
  require(gate_up_N2F.cols() % 2 == 0, "[gated] expected an even number of columns, got {}", gate_up_N2F.cols());
  Tensor y_NF = pass.empty({gate_up_N2F.rows(), gate_up_N2F.cols() / 2});
  pass.kernels.silu_gated(pass.threads(), gate_up_N2F, y_NF);
  pass.on_backward([&pass, gate_up_N2F, y = y_NF.id()](Gradients& d) {
    const Tensor dy_NF = d.take(y);
    if (!dy_NF.is_empty()) pass.kernels.silu_gated_backward(pass.threads(), dy_NF, gate_up_N2F, d.into(gate_up_N2F));
  });
  pass.on_remake(y_NF, [&pass, gate_up_N2F, shape = y_NF.shape()] {
    Tensor y_NF = pass.empty(shape);
    pass.kernels.silu_gated(pass.threads(), gate_up_N2F, y_NF);
    return y_NF;
  });
  return y_NF;
}

}  // namespace fude
