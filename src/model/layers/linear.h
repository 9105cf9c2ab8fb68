// A weight and its bias, which travel together.
#pragma once

#include <optional>

#include "ops/linear.h"

namespace fude {

struct Linear {
  Parameter weight;
  std::optional<Parameter> bias;

  Tensor operator()(const Pass& pass, const Tensor& x_NK) const {
    return linear(pass, x_NK, weight, bias ? &*bias : nullptr);
  }
};

}  // namespace fude
