#include "ops/gated_mlp.h"

namespace fude {
namespace {

using GatedMlp = void (*)(Threads&, const Tensor& x_NC, const Parameter& up_2FC, const Parameter& down_CF,
                          Tensor& y_NC);

Tensor gated_mlp(const Pass& pass, const Tensor& x_NC, const Parameter& up_2FC, const Parameter& down_CF,
                 GatedMlp forward) {
  require(pass.tape == nullptr && has_gated_mlp(up_2FC, down_CF),
          "[gated_mlp] {}, {}: expected [2F, {}] and [C, F] in blocks of one format each, without a tape",
          up_2FC.name(), down_CF.name(), x_NC.cols());
  require(x_NC.cols() == up_2FC.cols(), "[gated_mlp] {}: expected {} columns, got {}", up_2FC.name(), up_2FC.cols(),
          x_NC.cols());
  Tensor y_NC = pass.empty({x_NC.rows(), down_CF.rows()});
  forward(pass.threads(), x_NC, up_2FC, down_CF, y_NC);
  return y_NC;
}

}  // namespace

bool has_gated_mlp(const Parameter& up_2FC, const Parameter& down_CF) {
  return up_2FC.runs().size() == 1 && down_CF.runs().size() == 1 && up_2FC.rows() == 2 * down_CF.cols() &&
         up_2FC.rows() % (2 * kPanel) == 0;
}

Tensor silu_gated_mlp(const Pass& pass, const Tensor& x_NC, const Parameter& up_2FC, const Parameter& down_CF) {
  return gated_mlp(pass, x_NC, up_2FC, down_CF, pass.kernels.silu_gated_mlp);
}

Tensor gelu_gated_mlp(const Pass& pass, const Tensor& x_NC, const Parameter& up_2FC, const Parameter& down_CF) {
  return gated_mlp(pass, x_NC, up_2FC, down_CF, pass.kernels.gelu_gated_mlp);
}

}  // namespace fude
