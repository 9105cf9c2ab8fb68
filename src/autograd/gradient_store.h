// The gradients of one backward pass: of activations, by tensor id, and of parameters.
//
// An op asks for the gradient of its output with `take` (it dies there: nobody else reads it) and for the
// place of an input's gradient with `into`. The first writer of a place stores, later ones add;
// `GradientPlace::add` says which, so that nothing is ever cleared first.
#pragma once

#include <unordered_map>

#include "ops/backward.h"

namespace fude {

class GradientStore final : public Gradients {
 public:
  explicit GradientStore(Device& device) : device_(device) {}

  Tensor take(uint64_t id) override;
  Tensor of(const Tensor& tensor) const override;
  using Gradients::into;
  GradientPlace into(uint64_t id, const Shape& shape) override;
  bool share(uint64_t id, const Tensor& gradient) override;
  GradientPlace into(const Parameter& parameter) override;
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
