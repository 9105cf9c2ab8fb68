// The gradients of one backward pass: of activations, by tensor id, and of parameters.
//
// An op asks for the gradient of its output with `take` (it dies there: nobody else reads it) and for the place of an
// input's gradient with `into`. The first writer of a place stores, later ones add; `GradientPlace::add` says which, so
// that nothing is ever cleared first.
#pragma once

#include <unordered_map>

#include "tensor/parameter.h"

namespace fude {

// Where a gradient goes: store it (add == false) or add to what is there.
struct GradientPlace {
  Tensor tensor;
  bool add = false;
};

class Gradients {
 public:
  explicit Gradients(Device& device) : device_(device) {}

  Device& device() const { return device_; }
  // The gradient of the tensor with this id, no longer kept. Empty if nothing depended on it.
  Tensor take(uint64_t id);
  // The tensor's gradient so far, which stays; empty if nothing depended on it.
  Tensor of(const Tensor& tensor) const;
  GradientPlace into(const Tensor& tensor);
  GradientPlace into(const Parameter& parameter);
  // The parameter's gradient, in the parameter's element order; empty if it has none yet.
  Tensor of(const Parameter& parameter) const;
  // Keeps the memory of the parameters' gradients; the next writer stores.
  void restart();

 private:
  Device& device_;
  std::unordered_map<uint64_t, Tensor> activations_;
  std::unordered_map<const Parameter*, GradientPlace> parameters_;
};

}  // namespace fude
