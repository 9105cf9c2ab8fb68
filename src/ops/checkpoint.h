// y = body(x), keeping nothing but x: backward runs the body again, with a tape of its own, and goes back
// through that. The same arithmetic twice, so the gradients are the same bits (Chen et al., "Training deep
// nets with sublinear memory cost", 2016).
#pragma once

#include "ops/pass.h"

namespace fude {

// body(const Pass&, const Tensor& x) → Tensor. What it refers to must outlive the tape's backward.
template <class Body>
Tensor checkpoint(const Pass& pass, const Tensor& x, const Body& body) {
  Pass forward = pass;
  forward.tape = nullptr;
  Tensor y = body(forward, x);
  pass.on_backward([&pass, x, body, y = y.id()](Gradients& d) {
    Tensor dy = d.take(y);
    if (dy.is_empty()) return;
    Pass again = pass;  // outlives the replay, as a pass must
    pass.tape->replay(d, [&](Tape& tape) {
      again.tape = &tape;
      d.share(body(again, x).id(), std::exchange(dy, {}));
    });
  });
  return y;
}

}  // namespace fude
