#include "ops/linear.h"

#include <utility>

namespace fude {
namespace {

void require_product(const Parameter& weight_OK, const Tensor& x_NK, const Tensor& y_NO) {
  require(x_NK.cols() == weight_OK.cols() && y_NO.rows() == x_NK.rows() && y_NO.cols() == weight_OK.rows(),
          "[linear] {}: expected [N, {}] and [N, {}], got {} and {}", weight_OK.name(), weight_OK.cols(),
          weight_OK.rows(), x_NK.shape(), y_NO.shape());
}

}  // namespace

Tensor linear(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const Parameter* bias_O) {
  require(weight_OK.is_matrix(), "[linear] {}: expected a matrix", weight_OK.name());
  Tensor y_NO = pass.empty({x_NK.rows(), weight_OK.rows()});
  multiply(pass, x_NK, weight_OK, bias_O, y_NO);
  pass.on_backward([&pass, x_NK = pass.keep(x_NK), x = x_NK.id(), x_shape = x_NK.shape(), y = y_NO.id(), &weight_OK,
                    bias_O](Gradients& d) {
    const Tensor dy_NO = d.take(y);
    if (dy_NO.is_empty()) return;
    if (d.wants(weight_OK))
      pass.kernels.linear_backward_weight(pass.threads(), dy_NO, x_NK(), weight_OK.compute(), d.into(weight_OK));
    if (bias_O != nullptr && d.wants(*bias_O))
      pass.kernels.linear_backward_bias(pass.threads(), dy_NO, d.into(*bias_O));
    multiply_backward_input(pass, dy_NO, weight_OK, d.into(x, x_shape));
  });
  return y_NO;
}

void multiply(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const Parameter* bias_O, Tensor& y_NO) {
  require_product(weight_OK, x_NK, y_NO);
  require(bias_O == nullptr || bias_O->count() == weight_OK.rows(), "[linear] {}: expected a bias of {}, got {}",
          weight_OK.name(), weight_OK.rows(), bias_O ? bias_O->count() : 0);
  if (weight_OK.is_in_blocks()) return pass.kernels.linear_blocks(pass.threads(), x_NK, weight_OK, bias_O, y_NO);
  pass.kernels.linear(pass.threads(), x_NK, weight_OK, bias_O, y_NO);
}

void multiply_backward_input(const Pass& pass, const Tensor& dy_NO, const Parameter& weight_OK, GradientPlace dx_NK) {
  require_product(weight_OK, dx_NK.tensor, dy_NO);
  pass.kernels.linear_backward_input(pass.threads(), dy_NO, weight_OK, std::move(dx_NK));
}

void expect(const Pass& pass, const Parameter& weight_OK, int64_t rows) {
  constexpr int64_t kFewRows = 8;
  if (rows > kFewRows || pass.tape != nullptr) return;
  const auto* packed = static_cast<const std::byte*>(weight_OK.packed().raw());
  if (weight_OK.is_in_blocks()) {
    const PanelRun& run = weight_OK.runs().front();
    return pass.threads().expect(packed + run.offset, run.panels, run.panel_bytes);
  }
  const int64_t panels = (weight_OK.rows() + kPanel - 1) / kPanel;
  pass.threads().expect(packed, panels, weight_OK.packed().bytes() / panels);
}

}  // namespace fude
