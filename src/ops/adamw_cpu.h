// Kernels of adamw.

inline double sum_of_squares(Threads& threads, const Tensor& x) {
  constexpr int64_t kBlock = 4096;
  const int64_t size = x.size(), blocks = (size + kBlock - 1) / kBlock;
  const float* p = x.data<float>();
  std::vector<float> sums(static_cast<size_t>(blocks));
  threads.parallel_for(blocks, 16, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      Lanes squares{};
      for_lanes(block * kBlock, std::min(size, (block + 1) * kBlock),
                [&](int64_t i, auto n) FUDE_INLINE_BODY {
                  const Lanes v = load_first(p + i, n);
                  squares = fma(v, v, squares);
                });
      sums[size_t(block)] = sum(squares);
    }
  });
  double total = 0;
  for (float s : sums) total += double(s);
  return total;
}

inline void adamw(Threads& threads, const Tensor& gradient, const AdamWStep& step, Tensor& values,
                  Tensor& mean, Tensor& variance) {
  const int64_t size = values.size();
  const float* g = gradient.data<float>();
  float *w = values.data<float>(), *m = mean.data<float>(), *v = variance.data<float>();
  const float keep = 1.0f - step.learning_rate * step.weight_decay,
              size1 = step.learning_rate / step.correction1;
  const float root2 = 1.0f / __builtin_sqrtf(step.correction2);
  threads.parallel_for((size + kLanes - 1) / kLanes, 512, [&](int64_t begin, int64_t end) {
    for_lanes(begin * kLanes, std::min(size, end * kLanes), [&](int64_t i, auto n) FUDE_INLINE_BODY {
      const Lanes d = load_first(g + i, n) * step.gradient_scale;
      const Lanes m1 = fma(load_first(m + i, n), broadcast(step.beta1), d * (1.0f - step.beta1));
      const Lanes v1 = fma(load_first(v + i, n), broadcast(step.beta2), d * d * (1.0f - step.beta2));
      const Lanes divisor = fma(square_root(v1), broadcast(root2), broadcast(step.eps));
      const Lanes w1 = load_first(w + i, n) * keep - size1 * m1 / divisor;
      store_first(m + i, m1, n), store_first(v + i, v1, n), store_first(w + i, w1, n);
    });
  });
}

void fill_adamw(Kernels& kernels) {
  kernels.sum_of_squares = sum_of_squares;
  kernels.adamw = adamw;
}
