// The gradients of one backward pass: of activations, by tensor id, and of parameters.
//
// An op asks for the gradient of its output with `take` (it dies there: nobody else reads it) and for the
// place of an input's gradient with `into`. The first writer of a place stores, later ones add;
// `GradientPlace::add` says which, so that nothing is ever cleared first.
//
// A store that is told which parameters are trained leaves the others out: no time, and no memory.
#pragma once

#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "ops/backward.h"

namespace fude {

class GradientStore final : public Gradients {
 public:
  explicit GradientStore(Device& device) : device_(device) {}  // all parameters are trained
  GradientStore(Device& device, std::unordered_set<const Parameter*> trained)
      : device_(device), trained_(std::move(trained)) {}

  Tensor take(uint64_t id) override;
  Tensor of(uint64_t id) const override;
  using Gradients::into;
  GradientPlace into(uint64_t id, const Shape& shape) override;
  bool share(uint64_t id, const Tensor& gradient) override;
  bool wants(const Parameter& parameter) const override { return !trained_ || trained_->contains(&parameter); }
  GradientPlace into(const Parameter& parameter) override;
  // The parameter's gradient, in the parameter's element order; empty if it has none yet.
  Tensor of(const Parameter& parameter) const;
  // Takes memory for these parameters' gradients now, and so beside each other; the first writer still stores.
  void reserve(std::span<const Parameter* const> parameters);
  // Gives all memory back.
  void clear();

 private:
  GradientPlace& place_of(const Parameter& parameter);

  Device& device_;
  std::optional<std::unordered_set<const Parameter*>> trained_;
  std::unordered_map<uint64_t, Tensor> activations_;
  std::unordered_map<const Parameter*, GradientPlace> parameters_;
};

}  // namespace fude
