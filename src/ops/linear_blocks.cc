#include "ops/linear_blocks.h"

namespace fude {

void linear_blocks(const Pass& pass, const Tensor& x_NK, const Parameter& weight_OK, const Parameter* bias_O,
                   Tensor& y_NO) {
  require(weight_OK.is_in_blocks(), "[linear_blocks] {}: expected a weight in blocks", weight_OK.name());
  require(x_NK.cols() == weight_OK.cols() && y_NO.rows() == x_NK.rows() && y_NO.cols() == weight_OK.rows(),
          "[linear_blocks] {}: expected [N, {}] and [N, {}], got {} and {}", weight_OK.name(), weight_OK.cols(),
          weight_OK.rows(), x_NK.shape(), y_NO.shape());
  pass.kernels.linear_blocks(pass.threads(), x_NK, weight_OK, bias_O, y_NO);
}

}  // namespace fude
