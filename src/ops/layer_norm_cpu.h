// Kernels of layer_norm. Rows are independent; the gradients of weight and bias sum rows in blocks of 64, in order.

inline void layer_norm(Threads& threads, const Tensor& x_NC, const Tensor& pending_NC, const Tensor& weight_C,
                       const Tensor& bias_C, float eps, Tensor& sum_NC, Tensor& y_NC, Tensor& mean_N, Tensor& r_N) {
  const int64_t n = x_NC.rows(), c = x_NC.cols();
  const float *x = x_NC.data<float>(), *weight = weight_C.data<float>(), *bias = bias_C.data<float>();
  const float* pending = pending_NC.is_empty() ? nullptr : pending_NC.data<float>();
  float *summed = sum_NC.data<float>(), *y = y_NC.data<float>(), *mean = mean_N.data<float>(), *r = r_N.data<float>();
  threads.parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* from = x + row * c;
      if (pending != nullptr) {
        float* to = summed + row * c;
        for (int64_t i = 0; i < c; i += kLanes)
          store_first(to + i, load_first(from + i, c - i) + load_first(pending + row * c + i, c - i), c - i);
        from = to;
      }
      Lanes total{}, squares{};
      for (int64_t i = 0; i < c; i += kLanes) total = total + load_first(from + i, c - i);
      mean[row] = sum(total) / float(c);
      for (int64_t i = 0; i < c; i += kLanes) {
        Lanes v = load_first(from + i, c - i) - mean[row];
        for (int64_t lane = c - i; lane < kLanes; ++lane) v[lane] = 0.0f;
        squares = fma(v, v, squares);
      }
      r[row] = 1.0f / __builtin_sqrtf(sum(squares) / float(c) + eps);
      for (int64_t i = 0; i < c; i += kLanes) {
        const Lanes v = (load_first(from + i, c - i) - mean[row]) * r[row];
        store_first(y + row * c + i, fma(v, load_first(weight + i, c - i), load_first(bias + i, c - i)), c - i);
      }
    }
  });
}

inline void layer_norm_backward(Threads& threads, const Tensor& dy_NC, const Tensor& x_NC, const Tensor& weight_C,
                                const Tensor& mean_N, const Tensor& r_N, GradientPlace dx_NC, GradientPlace dweight_C,
                                GradientPlace dbias_C) {
  const int64_t n = x_NC.rows(), c = x_NC.cols();
  const float *dy = dy_NC.data<float>(), *x = x_NC.data<float>(), *weight = weight_C.data<float>();
  const float *mean = mean_N.data<float>(), *r = r_N.data<float>();
  float *dx = dx_NC.tensor.data<float>(), *dweight = dweight_C.tensor.data<float>(), *dbias = dbias_C.tensor.data<float>();
  constexpr int64_t kRows = 64;
  const int64_t blocks = (n + kRows - 1) / kRows;
  std::vector<float> partial(size_t(blocks * c * 2), 0.0f);
  threads.parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * kRows; row < std::min(n, end * kRows); ++row) {
      const float *from = x + row * c, *g = dy + row * c;
      float *to = dx + row * c, *dw = partial.data() + row / kRows * c * 2, *db = dw + c;
      Lanes total{}, dot{};
      for (int64_t i = 0; i < c; i += kLanes) {
        const Lanes normal = (load_first(from + i, c - i) - mean[row]) * r[row], gradient = load_first(g + i, c - i);
        const Lanes weighted = gradient * load_first(weight + i, c - i);
        total = total + weighted;
        dot = fma(weighted, normal, dot);
        store_first(dw + i, fma(gradient, normal, load_first(dw + i, c - i)), c - i);
        store_first(db + i, gradient + load_first(db + i, c - i), c - i);
      }
      const float mean_gradient = sum(total) / float(c), mean_dot = sum(dot) / float(c);
      for (int64_t i = 0; i < c; i += kLanes) {
        const Lanes normal = (load_first(from + i, c - i) - mean[row]) * r[row];
        Lanes d = (load_first(g + i, c - i) * load_first(weight + i, c - i) - mean_gradient - normal * mean_dot) * r[row];
        if (dx_NC.add) d = d + load_first(to + i, c - i);
        store_first(to + i, d, c - i);
      }
    }
  });
  if (!dweight_C.add) std::fill(dweight, dweight + c, 0.0f);
  if (!dbias_C.add) std::fill(dbias, dbias + c, 0.0f);
  for (int64_t block = 0; block < blocks; ++block)
    for (int64_t i = 0; i < c; ++i) {
      dweight[i] += partial[size_t(block * c * 2 + i)];
      dbias[i] += partial[size_t(block * c * 2 + c + i)];
    }
}

void fill_layer_norm(Kernels& kernels) {
  kernels.layer_norm = layer_norm;
  kernels.layer_norm_backward = layer_norm_backward;
}
