#include "autograd/gradient_store.h"

namespace fude {

Tensor GradientStore::take(uint64_t id) {
  const auto found = activations_.find(id);
  if (found == activations_.end()) return {};
  Tensor gradient = std::move(found->second);
  activations_.erase(found);
  return gradient;
}

Tensor GradientStore::of(const Tensor& tensor) const {
  const auto found = activations_.find(tensor.id());
  return found == activations_.end() ? Tensor{} : found->second;
}

GradientPlace GradientStore::into(const Tensor& tensor) {
  const auto [found, is_new] = activations_.try_emplace(tensor.id());
  if (is_new) found->second = Tensor(device_, tensor.shape(), DType::f32);
  return {found->second, !is_new};
}

GradientPlace GradientStore::into(const Parameter& parameter) {
  GradientPlace& place = parameters_[&parameter];
  if (place.tensor.is_empty())
    place.tensor = Tensor(device_, {parameter.stored()}, DType::f32, Purpose::gradients);
  const GradientPlace result = place;
  place.add = true;
  return result;
}

Tensor GradientStore::of(const Parameter& parameter) const {
  const auto found = parameters_.find(&parameter);
  return found == parameters_.end() || !found->second.add ? Tensor{} : found->second.tensor;
}

void GradientStore::restart() {
  activations_.clear();
  for (auto& [parameter, place] : parameters_) place.add = false;
}

}  // namespace fude
