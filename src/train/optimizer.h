// AdamW for every parameter, Muon for the matrices that the options name; clipping by the global norm before both.
//
// A step is deterministic for any number of threads. Moments lie in their parameter's element order; `state` hands them
// out by name (handles to the same memory), so that a checkpoint saves them and copies back into them.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "autograd/gradient_store.h"
#include "ops/pass.h"

namespace fude {

struct OptimizerOptions {
  float beta1 = 0.9f, beta2 = 0.95f, eps = 1e-8f;
  float weight_decay = 0.1f;  // matrices only
  double max_norm = 1.0;      // of all gradients together; 0: no clipping
  // Which matrices Muon takes: those of the blocks. Empty: none. Vectors are always AdamW's.
  std::function<bool(const Parameter&)> uses_muon;
  float muon_momentum = 0.95f;
  float muon_rate_factor = 20.0f;    // Muon's learning rate, in those of AdamW
  float muon_weight_decay = 0.005f;  // with that rate: the same decay per step as AdamW's default
};

class Optimizer {
 public:
  // The parameters must outlive it and have distinct names.
  Optimizer(Device& device, const Kernels& kernels, std::vector<Parameter*> parameters, OptimizerOptions options);

  // Updates every parameter that has a gradient; returns the norm of all gradients before clipping. If the norm is not
  // finite, nothing changes (values, moments, steps_done): the caller decides what to do.
  double step(const GradientStore& gradients, float learning_rate);

  // Moments by name: "<parameter>.mean", "<parameter>.variance" (AdamW), "<parameter>.momentum" (Muon).
  std::vector<std::pair<std::string, Tensor>> state() const;
  int64_t steps_done() const { return steps_done_; }
  // With the moments copied back into `state`, continues bit for bit.
  void set_steps_done(int64_t steps);
  const std::vector<Parameter*>& parameters() const { return parameters_; }

 private:
  struct Moments {
    Tensor mean, variance;  // AdamW
    Tensor momentum;        // Muon
  };

  Device& device_;
  const Kernels& kernels_;
  std::vector<Parameter*> parameters_;
  OptimizerOptions options_;
  std::vector<Moments> moments_;
  int64_t steps_done_ = 0;
};

}  // namespace fude
