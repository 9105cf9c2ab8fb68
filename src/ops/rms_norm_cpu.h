// Kernels of rms_norm. Rows are independent; the weight's gradient sums rows in blocks of 64, blocks in order.

FUDE_INLINE float reciprocal_root(float x) { return 1.0f / __builtin_sqrtf(x); }

inline void rms_norm(Threads& threads, const Tensor& x_NC, const Tensor& pending_NC, const Tensor& weight_C,
                     float eps, Tensor& sum_NC, Tensor& y_NC, Tensor& r_N) {
  const int64_t n = x_NC.rows(), c = x_NC.cols();
  const float *x = x_NC.data<float>(), *weight = weight_C.data<float>();
  const float* pending = pending_NC.is_empty() ? nullptr : pending_NC.data<float>();
  float *summed = sum_NC.data<float>(), *y = y_NC.data<float>(), *r = r_N.data<float>();
  threads.parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* from = x + row * c;
      if (pending != nullptr) {
        float* to = summed + row * c;
        for (int64_t i = 0; i < c; i += kLanes)
          store_first(to + i, load_first(from + i, c - i) + load_first(pending + row * c + i, c - i), c - i);
        from = to;
      }
      Lanes squares{};
      for (int64_t i = 0; i < c; i += kLanes) {
        const Lanes v = load_first(from + i, c - i);
        squares = fma(v, v, squares);
      }
      r[row] = reciprocal_root(sum(squares) / float(c) + eps);
      for (int64_t i = 0; i < c; i += kLanes)
        store_first(y + row * c + i, load_first(from + i, c - i) * r[row] * load_first(weight + i, c - i), c - i);
    }
  });
}

inline void rms_norm_backward(Threads& threads, const Tensor& dy_NC, const Tensor& x_NC, const Tensor& weight_C,
                              const Tensor& r_N, GradientPlace dx_NC, GradientPlace dweight_C) {
  const int64_t n = x_NC.rows(), c = x_NC.cols();
  const float *dy = dy_NC.data<float>(), *x = x_NC.data<float>(), *weight = weight_C.data<float>(), *r = r_N.data<float>();
  float *dx = dx_NC.tensor.data<float>(), *dweight = dweight_C.tensor.data<float>();
  constexpr int64_t kRows = 64;
  const int64_t blocks = (n + kRows - 1) / kRows;
  std::vector<float> partial(size_t(blocks * c), 0.0f);
  threads.parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * kRows; row < std::min(n, end * kRows); ++row) {
      const float *from = x + row * c, *g = dy + row * c;
      float *to = dx + row * c, *sums = partial.data() + row / kRows * c;
      Lanes dot{};
      for (int64_t i = 0; i < c; i += kLanes) {
        const Lanes v = load_first(from + i, c - i), gradient = load_first(g + i, c - i);
        dot = fma(gradient * load_first(weight + i, c - i), v, dot);
        store_first(sums + i, fma(gradient * r[row], v, load_first(sums + i, c - i)), c - i);
      }
      const float scale = sum(dot) * r[row] * r[row] * r[row] / float(c);
      for (int64_t i = 0; i < c; i += kLanes) {
        const Lanes v = load_first(from + i, c - i);
        Lanes d = load_first(g + i, c - i) * load_first(weight + i, c - i) * r[row] - v * scale;
        if (dx_NC.add) d = d + load_first(to + i, c - i);
        store_first(to + i, d, c - i);
      }
    }
  });
  if (!dweight_C.add) std::fill(dweight, dweight + c, 0.0f);
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t i = 0; i < c; ++i) dweight[i] += partial[size_t(block * c + i)];
}

void fill_rms_norm(Kernels& kernels) {
  kernels.rms_norm = rms_norm;
  kernels.rms_norm_backward = rms_norm_backward;
}
