// Kernels of the element-wise ops, sixteen elements at a time.
#include "ops/for_elements_cpu.h"

inline void add(Threads& threads, const Tensor& a, const Tensor& b, Tensor& y) {
  const float *pa = a.data<float>(), *pb = b.data<float>();
  float* py = y.data<float>();
  for_elements(threads, y.size(), [=](int64_t i, auto n) FUDE_INLINE_BODY {
    store_first(py + i, load_first(pa + i, n) + load_first(pb + i, n), n);
  });
}

inline void accumulate(Threads& threads, const Tensor& x, GradientPlace y) {
  const float* px = x.data<float>();
  float* py = y.tensor.data<float>();
  const bool add = y.add;
  for_elements(threads, x.size(), [=](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes v = load_first(px + i, n);
    store_first(py + i, add ? load_first(py + i, n) + v : v, n);
  });
}

// ½ (1 + tanh(z)) is sigmoid(2z).
inline constexpr float kGeluSlope = 2 * 0.7978845608f, kGeluCubic = 0.044715f;

inline void gelu(Threads& threads, const Tensor& x, Tensor& y) {
  const float* px = x.data<float>();
  float* py = y.data<float>();
  for_elements(threads, x.size(), [=](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes v = load_first(px + i, n);
    const Lanes z = v * kGeluSlope * fma(v * v, broadcast(kGeluCubic), broadcast(1.0f));
    store_first(py + i, v * sigmoid(z), n);
  });
}

inline void gelu_backward(Threads& threads, const Tensor& dy, const Tensor& x, GradientPlace dx) {
  const float *pdy = dy.data<float>(), *px = x.data<float>();
  float* pdx = dx.tensor.data<float>();
  const bool add = dx.add;
  for_elements(threads, x.size(), [=](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes v = load_first(px + i, n), cubic = v * v * kGeluCubic;
    const Lanes s = sigmoid(v * kGeluSlope * (1.0f + cubic));
    const Lanes slope = fma(v * (s * (1.0f - s)), kGeluSlope * (1.0f + 3.0f * cubic), s);
    const Lanes d = load_first(pdy + i, n) * slope;
    store_first(pdx + i, add ? load_first(pdx + i, n) + d : d, n);
  });
}

void fill_elementwise(Kernels& kernels) {
  kernels.add = add;
  kernels.accumulate = accumulate;
  kernels.gelu = gelu;
  kernels.gelu_backward = gelu_backward;
}
