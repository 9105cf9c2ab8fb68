// Kernels of classifier_loss: the one log-softmax of the system, and its gradient over the logits in place.

FUDE_INLINE Lanes load_logits(const float* p, int64_t n) {
  Lanes x = load_first(p, n);
  for (int64_t lane = n; lane < kLanes; ++lane) x[lane] = -std::numeric_limits<float>::infinity();
  return x;
}

struct LogSumExp {
  float maximum, sum;
};

// A block that is masked out entirely (all -∞) is shifted by nothing, so that it adds exact zeros.
FUDE_INLINE float shift_of(float maximum) {
  return maximum == -std::numeric_limits<float>::infinity() ? 0.0f : maximum;
}

inline LogSumExp log_sum_exp(const float* x, int64_t size) {
  constexpr int64_t kBlock = 1024;
  LogSumExp all{-std::numeric_limits<float>::infinity(), 0.0f};
  for (int64_t first = 0; first < size; first += kBlock) {
    const int64_t last = std::min(size, first + kBlock);
    Lanes top = broadcast(-std::numeric_limits<float>::infinity()), total{};
    for (int64_t i = first; i < last; i += kLanes) top = max(top, load_logits(x + i, size - i));
    const float maximum = largest(top), shift = shift_of(maximum);
    for (int64_t i = first; i < last; i += kLanes) total = total + exp(load_logits(x + i, size - i) - shift);
    const float both = all.maximum > maximum ? all.maximum : maximum, base = shift_of(both);
    all.sum = all.sum * exp(broadcast(all.maximum - base))[0] + sum(total) * exp(broadcast(shift - base))[0];
    all.maximum = both;
  }
  return all;
}

inline void softmax_loss(Threads& threads, Tensor& logits_NV, int64_t classes, const int32_t* targets_N,
                         float gradient_scale, float* loss_N) {
  float* logits = logits_NV.data<float>();
  threads.parallel_for(logits_NV.rows(), 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* x = logits + row * classes;
      const int32_t target = targets_N[row];
      if (target < 0) {
        loss_N[row] = 0.0f;
        std::fill(x, x + classes, 0.0f);
        continue;
      }
      const LogSumExp all = log_sum_exp(x, classes);
      loss_N[row] = all.maximum + __builtin_logf(all.sum) - x[target];
      if (gradient_scale == 0.0f) continue;
      const float scale = gradient_scale / all.sum;
      for (int64_t i = 0; i < classes; i += kLanes)
        store_first(x + i, exp(load_first(x + i, classes - i) - all.maximum) * scale, classes - i);
      x[target] -= gradient_scale;
    }
  });
}

inline void log_softmax(Threads& threads, const Tensor& logits_NV, Tensor& y_NV) {
  const int64_t classes = logits_NV.cols();
  const float* logits = logits_NV.data<float>();
  float* y = y_NV.data<float>();
  threads.parallel_for(logits_NV.rows(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const LogSumExp all = log_sum_exp(logits + row * classes, classes);
      const float total = all.maximum + __builtin_logf(all.sum);
      for (int64_t i = 0; i < classes; ++i) y[row * classes + i] = logits[row * classes + i] - total;
    }
  });
}

void fill_classifier_loss(Kernels& kernels) {
  kernels.softmax_loss = softmax_loss;
  kernels.log_softmax = log_softmax;
}
