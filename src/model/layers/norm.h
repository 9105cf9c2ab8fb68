// A normalisation of the rows of a residual stream: RMSNorm (weight) or LayerNorm (weight and bias). It adds
// what is pending first.
#pragma once

#include <optional>

#include "ops/layer_norm.h"
#include "ops/rms_norm.h"

namespace fude {

struct Norm {
  Parameter weight;
  std::optional<Parameter> bias;  // with it: LayerNorm
  float eps;

  Tensor operator()(const Pass& pass, Residual& x) const {
    return bias ? layer_norm(pass, x, weight, *bias, eps) : rms_norm(pass, x, weight, eps);
  }
};

}  // namespace fude
