// What every op is handed. With a tape an op records how to go back; without one it is inference. There is no other
// switch.
#pragma once

#include "base/error.h"
#include "ops/kernels.h"

namespace fude {

struct Pass {
  Device& device;
  const Kernels& kernels;
  Tape* tape = nullptr;
  bool checkpoint_blocks = false;  // with a tape: keep what enters a block only, and run it again in backward

  Threads& threads() const { return device.threads(); }
  Tensor empty(Shape shape, DType type = DType::f32) const { return Tensor(device, shape, type); }
  template <class Step>
  void on_backward(Step&& step) const {
    if (tape != nullptr) tape->record(std::forward<Step>(step));
  }
  // After on_backward, for cheap ops: those that read y need not keep it (see Tape).
  template <class Make>
  void on_remake(const Tensor& y, Make&& make) const {
    if (tape != nullptr) tape->remake(y.id(), std::forward<Make>(make));
  }
  std::function<Tensor()> keep(const Tensor& x) const {
    return tape == nullptr ? std::function<Tensor()>() : tape->keep(x);
  }
};

}  // namespace fude
