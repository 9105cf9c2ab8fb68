#include "ops/classifier_loss.h"

#include <algorithm>
#include <cstring>

#include "ops/linear.h"

namespace fude {

namespace {

// Enough rows for the matrix kernels to run at speed, in their blocks; few enough that a chunk of logits is small
// beside the weights.
int64_t rows_of_chunk(int64_t classes) {
  return std::clamp<int64_t>((int64_t(52) << 20) / (4 * classes), 64, 1024) / 64 * 64;
}

std::vector<int64_t> rows_with_target(const std::vector<int32_t>& targets_N) {
  std::vector<int64_t> rows;
  for (size_t n = 0; n < targets_N.size(); ++n)
    if (targets_N[n] >= 0) rows.push_back(int64_t(n));
  return rows;
}

void copy_row(const Tensor& from, int64_t row, Tensor& to, int64_t to_row) {
  if (to.raw() == nullptr) return;  // of a device that only counts
  const int64_t cols = from.cols();
  std::memcpy(to.data<float>() + to_row * cols, from.data<float>() + row * cols, size_t(cols) * sizeof(float));
}

// Rows of x one after the other: x itself if all are wanted.
Tensor gathered(const Pass& pass, const Tensor& x_NC, const std::vector<int64_t>& rows_R) {
  if (int64_t(rows_R.size()) == x_NC.rows()) return x_NC;
  Tensor some_RC = pass.empty({int64_t(rows_R.size()), x_NC.cols()});
  for (size_t r = 0; r < rows_R.size(); ++r) copy_row(x_NC, rows_R[r], some_RC, int64_t(r));
  return some_RC;
}

// The gradient of gathered rows, to where that of x is wanted.
void scatter(const Pass& pass, const Tensor& dsome_RC, const std::vector<int64_t>& rows_R, GradientPlace dx_NC) {
  if (!dx_NC.add) fill_zero(dx_NC.tensor);
  for (size_t r = 0; r < rows_R.size(); ++r) {
    Tensor row = dx_NC.tensor.slice_rows(rows_R[r], 1);
    if (dx_NC.add)
      pass.kernels.accumulate(pass.threads(), dsome_RC.slice_rows(int64_t(r), 1), {row, true});
    else
      copy_row(dsome_RC, int64_t(r), row, 0);
  }
}

}  // namespace

std::vector<float> classifier_loss(const Pass& pass, const Tensor& x_NC, const Parameter& weight_VC,
                                   const std::vector<int32_t>& targets_N, const ClassifierLossOptions& options) {
  require(x_NC.cols() == weight_VC.cols(), "[classifier_loss] expected {} columns, got {}", weight_VC.cols(),
          x_NC.cols());
  require(int64_t(targets_N.size()) == x_NC.rows(), "[classifier_loss] expected {} targets, got {}", x_NC.rows(),
          targets_N.size());
  for (int32_t target : targets_N)
    require(target >= -1 && target < weight_VC.rows(), "[classifier_loss] expected targets below {}, got {}",
            weight_VC.rows(), target);
  require(options.gradients == nullptr || options.slope, "[classifier_loss] expected a slope for the gradients");
  const std::vector<int64_t> rows_R = rows_with_target(targets_N);
  const auto rows = int64_t(rows_R.size());
  std::vector<int32_t> targets_R;
  for (int64_t row : rows_R) targets_R.push_back(targets_N[size_t(row)]);
  TargetSlope slope;
  if (options.gradients != nullptr)
    slope = [&](int64_t r, float logprob) { return options.slope(rows_R[size_t(r)], logprob); };

  const Tensor x_RC = gathered(pass, x_NC, rows_R);
  const bool is_all = rows == x_NC.rows();
  GradientPlace dx;
  if (options.gradients != nullptr && is_all) dx = options.gradients->into(x_NC);
  if (options.gradients != nullptr && !is_all) dx = {pass.empty(x_RC.shape()), false};
  std::vector<float> loss_R(rows_R.size());
  const int64_t chunk = rows_of_chunk(weight_VC.rows());
  for (int64_t first = 0; first < rows; first += chunk) {
    const int64_t count = std::min(chunk, rows - first);
    const Tensor part = x_RC.slice_rows(first, count);
    Tensor logits_NV = pass.empty({count, weight_VC.rows()});
    multiply(pass, part, weight_VC, nullptr, logits_NV);
    const SoftmaxLoss loss{targets_R.data() + first, options.inverse_temperature, first, slope ? &slope : nullptr};
    pass.kernels.softmax_loss(pass.threads(), logits_NV, weight_VC.rows(), loss, loss_R.data() + first);
    if (options.gradients == nullptr) continue;
    if (options.gradients->wants(weight_VC))
      pass.kernels.linear_backward_weight(pass.threads(), logits_NV, part, weight_VC.compute(),
                                          options.gradients->into(weight_VC));
    multiply_backward_input(pass, logits_NV, weight_VC, {dx.tensor.slice_rows(first, count), dx.add});
  }
  if (options.gradients != nullptr && !is_all) scatter(pass, dx.tensor, rows_R, options.gradients->into(x_NC));
  std::vector<float> loss_N(targets_N.size(), 0.0f);
  for (size_t r = 0; r < rows_R.size(); ++r) loss_N[size_t(rows_R[r])] = loss_R[r];
  return loss_N;
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
