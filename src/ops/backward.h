// All that an op knows of going back: a tape to leave a closure on, and the gradients that the closure reads
// and writes.
//
// Both are interfaces, implemented in autograd/. So an op keeps forward and backward in one file, and yet
// whatever only runs models forward (infer, and all below it) links without autograd.
#pragma once

#include <functional>

#include "tensor/parameter.h"

namespace fude {

// Where a gradient goes: store it (add == false) or add to what is there.
struct GradientPlace {
  Tensor tensor;
  bool add = false;
};

class Gradients {
 public:
  // The gradient of the tensor with this id, no longer kept. Empty if nothing depended on it.
  virtual Tensor take(uint64_t id) = 0;
  // The same, and it stays.
  virtual Tensor of(uint64_t id) const = 0;
  virtual GradientPlace into(uint64_t id, const Shape& shape) = 0;
  GradientPlace into(const Tensor& tensor) { return into(tensor.id(), tensor.shape()); }
  // Makes `gradient` that of the tensor with this id, without a copy, unless there is one already (then: false).
  // Several tensors may share one; whoever adds to it through `into` gets a copy first.
  virtual bool share(uint64_t id, const Tensor& gradient) = 0;
  // Whether the parameter is trained. Of one that is not, an op computes no gradient.
  virtual bool wants(const Parameter& parameter) const = 0;
  // Error if the parameter keeps the format of its file: it cannot be trained.
  virtual GradientPlace into(const Parameter& parameter) = 0;
  // For kernels that leave out what has no place.
  GradientPlace into_if_wanted(const Parameter* parameter) {
    return parameter != nullptr && wants(*parameter) ? into(*parameter) : GradientPlace{};
  }

 protected:
  ~Gradients() = default;
};

class Tape {
 public:
  virtual void record(std::function<void(Gradients&)> step) = 0;
  // The last step's output can be made again from what that step keeps.
  virtual void remake(uint64_t output, std::function<Tensor()> make) = 0;
  // How a step that reads x has it in backward: by making it again where that can be done, else by keeping it.
  virtual std::function<Tensor()> keep(const Tensor& x) const = 0;
  // Inside a step: runs `forward` with a tape of its own and goes back through that.
  virtual void replay(Gradients& gradients, const std::function<void(Tape&)>& forward) const = 0;

 protected:
  ~Tape() = default;
};

}  // namespace fude
