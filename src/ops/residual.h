// The residual stream between the layers of a model: what has been added up, and the last layer's output, which the
// next norm adds while it reads both. One pass over memory where an addition and a norm would take two.
#pragma once

#include "ops/pass.h"

namespace fude {

struct Residual {
  Tensor sum_NC;
  Tensor pending_NC = {};  // empty: nothing is waiting
};

// For the op that adds what is pending: x gets a new sum, to be filled with the old sum + pending (given
// back), and nothing is pending any more. If nothing was, the sum stays and `pending` is empty. The sum's
// gradient is handed to both terms without being copied: record what else needs it after this call.
Residual begin_sum(const Pass& pass, Residual& x);

}  // namespace fude
