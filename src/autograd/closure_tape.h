// What has to happen to go back: one closure per op, in the order the ops ran. Recording order is already a
// topological order, so backward runs the closures last to first, and drops each (with the activations it
// holds) after it ran.
#pragma once

#include <utility>
#include <vector>

#include "autograd/gradient_store.h"

namespace fude {

class ClosureTape final : public Tape {
 public:
  void record(std::function<void(Gradients&)> step) override { steps_.push_back({std::move(step), 0, {}}); }
  void remake(uint64_t output, std::function<Tensor()> make) override {
    steps_.back().output = output, steps_.back().make = std::move(make);
  }
  std::function<Tensor()> keep(const Tensor& x) const override {
    for (size_t i = steps_.size(); i-- > 0;)
      if (steps_[i].output == x.id()) return [this, i] { return steps_[i].make(); };  // still there: it ran earlier
    return [x] { return x; };
  }
  void replay(Gradients& gradients, const std::function<void(Tape&)>& forward) const override {
    ClosureTape tape;
    forward(tape);
    tape.backward(gradients);
  }
  bool is_empty() const { return steps_.empty(); }

  void backward(Gradients& gradients) {
    while (!steps_.empty()) {
      const Step step = std::move(steps_.back());
      steps_.pop_back();
      step.back(gradients);
    }
  }

 private:
  struct Step {
    std::function<void(Gradients&)> back;
    uint64_t output;  // that `make` makes; no tensor's id is 0
    std::function<Tensor()> make;
  };
  std::vector<Step> steps_;
};

}  // namespace fude
