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
  void record(std::function<void(Gradients&)> step) override { steps_.push_back(std::move(step)); }
  void replay(Gradients& gradients, const std::function<void(Tape&)>& forward) const override {
    ClosureTape tape;
    forward(tape);
    tape.backward(gradients);
  }
  bool is_empty() const { return steps_.empty(); }

  void backward(Gradients& gradients) {
    while (!steps_.empty()) {
      const auto step = std::move(steps_.back());
      steps_.pop_back();
      step(gradients);
    }
  }

 private:
  std::vector<std::function<void(Gradients&)>> steps_;
};

}  // namespace fude
