// Kernels of gated.
#include "ops/activation_cpu.h"

template <Lanes (*kActivation)(Lanes)>
inline void gated(Threads& threads, const Tensor& gate_up_N2F, Tensor& y_NF) {
  const int64_t n = y_NF.rows(), f = y_NF.cols();
  const float* x = gate_up_N2F.data<float>();
  float* y = y_NF.data<float>();
  threads.parallel_for(n, rows_per_chunk(f), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *gate = x + row * 2 * f, *up = gate + f;
      for_lanes(0, f, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
        const Lanes g = load_first(gate + i, lanes), u = load_first(up + i, lanes);
        store_first(y + row * f + i, kActivation(g) * u, lanes);
      });
    }
  });
}

template <Activation (*kActivation)(Lanes)>
inline void gated_backward(Threads& threads, const Tensor& dy_NF, const Tensor& gate_up_N2F,
                           GradientPlace dgate_up_N2F) {
  const int64_t n = dy_NF.rows(), f = dy_NF.cols();
  const float *x = gate_up_N2F.data<float>(), *dy = dy_NF.data<float>();
  float* dx = dgate_up_N2F.tensor.data<float>();
  const bool add = dgate_up_N2F.add;
  threads.parallel_for(n, rows_per_chunk(f), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for_lanes(0, f, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
        const int64_t gate = row * 2 * f + i, up = gate + f;
        const Activation a = kActivation(load_first(x + gate, lanes));
        const Lanes d = load_first(dy + row * f + i, lanes);
        Lanes dg = d * load_first(x + up, lanes) * a.slope, du = d * a.value;
        if (add) dg = dg + load_first(dx + gate, lanes), du = du + load_first(dx + up, lanes);
        store_first(dx + gate, dg, lanes);
        store_first(dx + up, du, lanes);
      });
  });
}

void fill_gated(Kernels& kernels) {
  kernels.silu_gated = gated<silu>;
  kernels.silu_gated_backward = gated_backward<silu_and_slope>;
  kernels.gelu_gated = gated<gelu>;
  kernels.gelu_gated_backward = gated_backward<gelu_and_slope>;
}
