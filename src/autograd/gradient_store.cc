#include "autograd/gradient_store.h"

#include <cstring>
#include <utility>

namespace fude {

Tensor GradientStore::take(uint64_t id) {
  const auto found = activations_.find(id);
  if (found == activations_.end()) return {};
  Tensor gradient = std::move(found->second);
  activations_.erase(found);
  return gradient;
}

Tensor GradientStore::of(uint64_t id) const {
  const auto found = activations_.find(id);
  return found == activations_.end() ? Tensor{} : found->second;
}

GradientPlace GradientStore::into(uint64_t id, const Shape& shape) {
  const auto [found, is_new] = activations_.try_emplace(id);
  Tensor& gradient = found->second;
  if (is_new) {
    gradient = Tensor(device_, shape, DType::f32);
  } else if (gradient.is_shared()) {
    const Tensor shared = std::exchange(gradient, Tensor(device_, shape, DType::f32));
    if (gradient.raw() != nullptr) std::memcpy(gradient.raw(), shared.raw(), size_t(gradient.bytes()));
  }
  return {gradient, !is_new};
}

bool GradientStore::share(uint64_t id, const Tensor& gradient) { return activations_.try_emplace(id, gradient).second; }

GradientPlace& GradientStore::place_of(const Parameter& parameter) {
  require(!parameter.keeps_formats(),
          "[gradients] {}: expected a parameter in f32 or bf16, got one that stays as its file has it and cannot be "
          "trained; load the model in f32 or bf16",
          parameter.name());
  GradientPlace& place = parameters_[&parameter];
  if (place.tensor.is_empty()) place.tensor = Tensor(device_, {parameter.stored()}, DType::f32, Purpose::gradients);
  return place;
}

GradientPlace GradientStore::into(const Parameter& parameter) {
  GradientPlace& place = place_of(parameter);
  GradientPlace result = place;
  place.add = true;
  return result;
}

void GradientStore::reserve(std::span<const Parameter* const> parameters) {
  for (const Parameter* parameter : parameters) place_of(*parameter);
}

Tensor GradientStore::of(const Parameter& parameter) const {
  const auto found = parameters_.find(&parameter);
  return found == parameters_.end() || !found->second.add ? Tensor{} : found->second.tensor;
}

void GradientStore::clear() {
  activations_.clear();
  parameters_.clear();
}

}  // namespace fude
