// An operation of one's own: y = cap · tanh(x / cap), which keeps logits between −cap and cap. It runs at
// once; with a tape in the pass it also records how to go back. Backward is checked here against differences.
#include <fude/ops.h>

#include <cmath>
#include <cstdio>

using namespace fude;

Tensor soft_cap(const Pass& pass, const Tensor& x, float cap) {
  require(cap > 0, "[soft_cap] expected a cap above 0, got {}", cap);
  const Tensor y = pass.empty(x.shape());
  const float* from = x.data<float>();
  float* to = y.data<float>();
  for (int64_t i = 0; i < x.size(); ++i) to[i] = cap * std::tanh(from[i] / cap);
  pass.on_backward([x, y, cap](Gradients& d) {
    const Tensor dy = d.take(y.id());
    if (dy.is_empty()) return;  // nothing depends on y
    const GradientPlace dx = d.into(x);
    for (int64_t i = 0; i < x.size(); ++i) {
      const float t = y.data<float>()[i] / cap, gradient = dy.data<float>()[i] * (1 - t * t);
      float& place = dx.tensor.data<float>()[i];
      place = dx.add ? place + gradient : gradient;
    }
  });
  return y;
}

int main() {
  Device device;
  Tensor x(device, {5}, DType::f32);
  for (int i = 0; i < 5; ++i) x.data<float>()[i] = float(i - 2);

  ClosureTape tape;
  GradientStore gradients(device);
  const Pass pass{device, default_kernels(), &tape};
  const Tensor y = soft_cap(pass, x, 1.5f);
  float* dy = gradients.into(y).tensor.data<float>();
  for (int i = 0; i < 5; ++i) dy[i] = 1;  // the loss is the sum of y
  tape.backward(gradients);

  double worst = 0;
  for (int i = 0; i < 5; ++i) {
    const double at = x.data<float>()[i], h = 1e-5;
    const double expected = 1.5 * (std::tanh((at + h) / 1.5) - std::tanh((at - h) / 1.5)) / (2 * h);
    const double got = gradients.of(x.id()).data<float>()[i];
    std::printf("x %5.2f  y %7.4f  dy/dx %7.4f\n", at, double(y.data<float>()[i]), got);
    worst = std::max(worst, std::abs(got - expected));
  }
  return worst < 1e-6 ? 0 : 1;
}
