#include "ops/residual.h"

#include <utility>

namespace fude {

Residual begin_sum(const Pass& pass, Residual& x) {
  if (x.pending_NC.is_empty()) return {x.sum_NC};
  require_shape("residual", "pending", x.pending_NC, x.sum_NC.shape());
  Residual terms{std::exchange(x.sum_NC, pass.empty(x.sum_NC.shape())), std::exchange(x.pending_NC, {})};
  pass.on_backward([&pass, sum = x.sum_NC.id(), a = terms.sum_NC.id(), b = terms.pending_NC.id()](Gradients& d) {
    const Tensor gradient = d.take(sum);
    if (gradient.is_empty()) return;
    for (const uint64_t term : {a, b})
      if (!d.share(term, gradient)) pass.kernels.accumulate(pass.threads(), gradient, d.into(term, gradient.shape()));
  });
  return terms;
}

}  // namespace fude
