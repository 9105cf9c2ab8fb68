// A weight and its bias, which travel together, and what the rows' adapters add to their product.
#pragma once

#include <optional>

#include "ops/linear.h"
#include "ops/low_rank.h"

namespace fude {

struct Linear {
  Parameter weight;
  std::optional<Parameter> bias;

  // x_NK: the batch's rows, f32.
  Tensor operator()(const Pass& pass, const Tensor& x_NK, const TokenBatch& batch) const {
    Tensor y_NO = linear(pass, x_NK, weight, bias ? &*bias : nullptr);
    add_adapters(pass, x_NK, weight, batch.adapters, y_NO);
    return y_NO;
  }
};

}  // namespace fude
