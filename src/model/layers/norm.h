// A normalisation of rows: RMSNorm (weight) or LayerNorm (weight and bias).
#pragma once

#include <optional>

#include "ops/layer_norm.h"
#include "ops/rms_norm.h"

namespace fude {

struct Norm {
  Parameter weight;
  std::optional<Parameter> bias;  // with it: LayerNorm
  float eps;

  Tensor operator()(const Pass& pass, const Tensor& x_NC) const {
    return bias ? layer_norm(pass, x_NC, weight, *bias, eps) : rms_norm(pass, x_NC, weight, eps);
  }
};

}  // namespace fude
