// Kernels of gated.

inline void silu_gated(Threads& threads, const Tensor& gate_up_N2F, Tensor& y_NF) {
  const int64_t n = y_NF.rows(), f = y_NF.cols();
  const float* x = gate_up_N2F.data<float>();
  float* y = y_NF.data<float>();
  threads.parallel_for(n, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t i = 0; i < f; i += kLanes) {
        const Lanes g = load_first(x + row * 2 * f + i, f - i), u = load_first(x + row * 2 * f + f + i, f - i);
        store_first(y + row * f + i, g * sigmoid(g) * u, f - i);
      }
  });
}

inline void silu_gated_backward(Threads& threads, const Tensor& dy_NF, const Tensor& gate_up_N2F,
                                GradientPlace dgate_up_N2F) {
  const int64_t n = dy_NF.rows(), f = dy_NF.cols();
  const float *x = gate_up_N2F.data<float>(), *dy = dy_NF.data<float>();
  float* dx = dgate_up_N2F.tensor.data<float>();
  const bool add = dgate_up_N2F.add;
  threads.parallel_for(n, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t i = 0; i < f; i += kLanes) {
        const int64_t gate = row * 2 * f + i, up = gate + f;
        const Lanes g = load_first(x + gate, f - i), u = load_first(x + up, f - i), s = sigmoid(g);
        const Lanes d = load_first(dy + row * f + i, f - i);
        Lanes dg = d * u * s * fma(g, 1.0f - s, broadcast(1.0f)), du = d * g * s;
        if (add) dg = dg + load_first(dx + gate, f - i), du = du + load_first(dx + up, f - i);
        store_first(dx + gate, dg, f - i);
        store_first(dx + up, du, f - i);
      }
  });
}

void fill_gated(Kernels& kernels) {
  kernels.silu_gated = silu_gated;
  kernels.silu_gated_backward = silu_gated_backward;
}
