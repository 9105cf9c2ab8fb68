#include "ops/classifier_loss.h"

#include <algorithm>

#include "ops/linear.h"

namespace fude {

std::vector<float> classifier_loss(const Pass& pass, const Tensor& x_NC, const Parameter& weight_VC,
                                   const std::vector<int32_t>& targets_N, Gradients* gradients, float scale) {
  require(x_NC.cols() == weight_VC.cols(), "[classifier_loss] expected {} columns, got {}", weight_VC.cols(),
          x_NC.cols());
  require(int64_t(targets_N.size()) == x_NC.rows(), "[classifier_loss] expected {} targets, got {}", x_NC.rows(),
          targets_N.size());
  for (int32_t target : targets_N)
    require(target >= -1 && target < weight_VC.rows(), "[classifier_loss] expected targets below {}, got {}",
            weight_VC.rows(), target);
  std::vector<float> loss_N(targets_N.size(), 0.0f);
  // Enough rows for the matrix kernels to run at speed, in their blocks; few enough that a chunk of logits is
  // small beside the weights.
  const int64_t chunk = std::clamp<int64_t>((int64_t(52) << 20) / (4 * weight_VC.rows()), 64, 1024) / 64 * 64;
  GradientPlace dx;
  if (gradients != nullptr) dx = gradients->into(x_NC);
  for (int64_t first = 0; first < x_NC.rows(); first += chunk) {
    const int64_t count = std::min(chunk, x_NC.rows() - first);
    const Tensor part = x_NC.slice_rows(first, count);
    Tensor logits_NV = pass.empty({count, weight_VC.rows()});
    multiply(pass, part, weight_VC, nullptr, logits_NV);
    pass.kernels.softmax_loss(pass.threads(), logits_NV, weight_VC.rows(), targets_N.data() + first,
                              gradients ? scale : 0.0f, loss_N.data() + first);
    if (gradients == nullptr) continue;
    if (scale == 0.0f) fill_zero(logits_NV);  // the kernel leaves logits alone then
    pass.kernels.linear_backward_weight(pass.threads(), logits_NV, part, weight_VC.compute(),
                                        gradients->into(weight_VC));
    pass.kernels.linear_backward_input(pass.threads(), logits_NV, weight_VC,
                                       {dx.tensor.slice_rows(first, count), dx.add});
  }
  return loss_N;
}

Tensor log_softmax(const Pass& pass, const Tensor& logits_NV) {
  Tensor y_NV = pass.empty(logits_NV.shape());
  pass.kernels.log_softmax(pass.threads(), logits_NV, y_NV);
  return y_NV;
}

std::vector<LogitSums> logit_sums(const Pass& pass, const Tensor& logits_NV,
                                  const std::vector<float>& inverse_temperatures_N) {
  require(int64_t(inverse_temperatures_N.size()) == logits_NV.rows(), "[logit_sums] expected {} temperatures, got {}",
          logits_NV.rows(), inverse_temperatures_N.size());
  std::vector<LogitSums> sums_N(inverse_temperatures_N.size());
  pass.kernels.logit_sums(pass.threads(), logits_NV, inverse_temperatures_N.data(), sums_N.data());
  return sums_N;
}

}  // namespace fude
