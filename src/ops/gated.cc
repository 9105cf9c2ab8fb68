#include "ops/gated.h"

namespace fude {
namespace {

using Forward = void (*)(Threads&, const Tensor& gate_up_N2F, Tensor& y_NF);
using Backward = void (*)(Threads&, const Tensor& dy_NF, const Tensor& gate_up_N2F, GradientPlace dgate_up_N2F);

Tensor gated(const Pass& pass, const Tensor& gate_up_N2F, Forward forward, Backward backward) {
  require(gate_up_N2F.cols() % 2 == 0, "[gated] expected an even number of columns, got {}", gate_up_N2F.cols());
  const auto make = [&pass, gate_up_N2F, forward] {
    Tensor y_NF = pass.empty({gate_up_N2F.rows(), gate_up_N2F.cols() / 2});
    forward(pass.threads(), gate_up_N2F, y_NF);
    return y_NF;
  };
  const Tensor y_NF = make();
  pass.on_backward([&pass, gate_up_N2F, y = y_NF.id(), backward](Gradients& d) {
    const Tensor dy_NF = d.take(y);
    if (!dy_NF.is_empty()) backward(pass.threads(), dy_NF, gate_up_N2F, d.into(gate_up_N2F));
  });
  pass.on_remake(y_NF, make);
  return y_NF;
}

}  // namespace

Tensor silu_gated(const Pass& pass, const Tensor& gate_up_N2F) {
  return gated(pass, gate_up_N2F, pass.kernels.silu_gated, pass.kernels.silu_gated_backward);
}

Tensor gelu_gated(const Pass& pass, const Tensor& gate_up_N2F) {
  return gated(pass, gate_up_N2F, pass.kernels.gelu_gated, pass.kernels.gelu_gated_backward);
}

}  // namespace fude
