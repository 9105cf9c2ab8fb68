#include "train/optimizer.h"

#include <cmath>
#include <set>

#include "train/muon.h"

namespace fude {

Optimizer::Optimizer(Device& device, const Kernels& kernels, std::vector<Parameter*> parameters,
                     OptimizerOptions options)
    : device_(device), kernels_(kernels), parameters_(std::move(parameters)), options_(std::move(options)) {
  require(options_.beta1 >= 0 && options_.beta1 < 1 && options_.beta2 >= 0 && options_.beta2 < 1,
          "[optimizer] expected betas from 0 to below 1, got {} and {}", options_.beta1, options_.beta2);
  require(options_.muon_momentum >= 0 && options_.muon_momentum < 1,
          "[optimizer] expected a momentum from 0 to below 1, got {}", options_.muon_momentum);
  require(options_.eps > 0, "[optimizer] expected an eps above 0, got {}", options_.eps);
  require(options_.max_norm >= 0, "[optimizer] expected a maximal norm of at least 0, got {}", options_.max_norm);
  std::set<std::string> names;
  moments_.reserve(parameters_.size());
  for (const Parameter* parameter : parameters_) {
    require(parameter->has_master(), "[optimizer] {}: expected master values to update", parameter->name());
    require(names.insert(parameter->name()).second, "[optimizer] the parameter {} comes twice", parameter->name());
    const auto zeros = [&] {
      return Tensor(device_, {parameter->stored()}, DType::f32, Purpose::optimizer, Contents::zero);
    };
    Moments& moments = moments_.emplace_back();
    if (parameter->is_matrix() && options_.uses_muon && options_.uses_muon(*parameter)) {
      moments.momentum = zeros();
    } else {
      moments.mean = zeros();
      moments.variance = zeros();
    }
  }
}

double Optimizer::step(const GradientStore& gradients, float learning_rate) {
  Threads& threads = device_.threads();
  double squares = 0;
  for (const Parameter* parameter : parameters_) {
    const Tensor gradient = gradients.of(*parameter);
    if (!gradient.is_empty()) squares += kernels_.sum_of_squares(threads, gradient);
  }
  const double norm = std::sqrt(squares);
  if (!std::isfinite(norm)) return norm;

  ++steps_done_;
  const float gradient_scale =
      options_.max_norm > 0 && norm > options_.max_norm ? float(options_.max_norm / norm) : 1.0f;
  AdamWStep adamw{};
  adamw.learning_rate = learning_rate;
  adamw.beta1 = options_.beta1, adamw.beta2 = options_.beta2, adamw.eps = options_.eps;
  adamw.correction1 = float(1 - std::pow(double(options_.beta1), double(steps_done_)));
  adamw.correction2 = float(1 - std::pow(double(options_.beta2), double(steps_done_)));
  adamw.gradient_scale = gradient_scale;
  const MuonStep muon{learning_rate * options_.muon_rate_factor, options_.muon_momentum, options_.muon_weight_decay,
                      gradient_scale};
  const Pass pass{device_, kernels_};
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& parameter = *parameters_[i];
    const Tensor gradient = gradients.of(parameter);
    if (gradient.is_empty()) continue;
    Moments& moments = moments_[i];
    if (!moments.momentum.is_empty()) {
      muon_step(pass, gradient, muon, moments.momentum, parameter);
    } else {
      adamw.weight_decay = parameter.is_matrix() ? options_.weight_decay : 0.0f;
      kernels_.adamw(threads, gradient, adamw, moments.mean, moments.variance, parameter);
    }
  }
  return norm;
}

std::vector<std::pair<std::string, Tensor>> Optimizer::state() const {
  std::vector<std::pair<std::string, Tensor>> state;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i]->name();
    if (!moments_[i].momentum.is_empty()) {
      state.emplace_back(name + ".momentum", moments_[i].momentum);
    } else {
      state.emplace_back(name + ".mean", moments_[i].mean);
      state.emplace_back(name + ".variance", moments_[i].variance);
    }
  }
  return state;
}

void Optimizer::set_steps_done(int64_t steps) {
  require(steps >= 0, "[optimizer] expected a number of steps of at least 0, got {}", steps);
  steps_done_ = steps;
}

}  // namespace fude
