// Kernels of the element-wise ops, sixteen elements at a time.
#include "ops/activation_cpu.h"
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

inline void gelu(Threads& threads, const Tensor& x, Tensor& y) {
  const float* px = x.data<float>();
  float* py = y.data<float>();
  for_elements(threads, x.size(),
               [=](int64_t i, auto n) FUDE_INLINE_BODY { store_first(py + i, gelu(load_first(px + i, n)), n); });
}

inline void gelu_backward(Threads& threads, const Tensor& dy, const Tensor& x, GradientPlace dx) {
  const float *pdy = dy.data<float>(), *px = x.data<float>();
  float* pdx = dx.tensor.data<float>();
  const bool add = dx.add;
  for_elements(threads, x.size(), [=](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes d = load_first(pdy + i, n) * gelu_and_slope(load_first(px + i, n)).slope;
    store_first(pdx + i, add ? load_first(pdx + i, n) + d : d, n);
  });
}

void fill_elementwise(Kernels& kernels) {
  kernels.add = add;
  kernels.accumulate = accumulate;
  kernels.gelu = gelu;
  kernels.gelu_backward = gelu_backward;
}
