// Kernels of classifier_loss: the one log-softmax of the system, and its gradient over the logits in place.

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
inline constexpr int64_t kLogitBlock = 1024;

// A block that is masked out entirely (all -∞) is shifted by nothing, so that it adds exact zeros.
FUDE_INLINE float shift_of(float maximum) { return maximum == kMinusInfinity ? 0.0f : maximum; }

struct LogSumExp {
  float maximum = kMinusInfinity, sum = 0.0f;
};

// Calls each_exp(i, e^(x[i] - shift), n) with the block's shift where it is computed, and each_block(block, shift).
template <class EachExp, class EachBlock>
FUDE_INLINE LogSumExp log_sum_exp(const float* x, int64_t size, const EachExp& each_exp, const EachBlock& each_block) {
  LogSumExp all;
  for (int64_t first = 0; first < size; first += kLogitBlock) {
    const int64_t last = std::min(size, first + kLogitBlock);
    Lanes top = broadcast(kMinusInfinity), total{};
    for_lanes(first, last, [&](int64_t i, auto n) FUDE_INLINE_BODY {
      top = max(top, keep_first(load_first(x + i, n), n, kMinusInfinity));
    });
    const float maximum = largest(top), shift = shift_of(maximum);
    for_lanes(first, last, [&](int64_t i, auto n) FUDE_INLINE_BODY {
      const Lanes e = exp(keep_first(load_first(x + i, n), n, kMinusInfinity) - shift);
      total = total + e;
      each_exp(i, e, n);
    });
    each_block(first / kLogitBlock, shift);
    const float both = all.maximum > maximum ? all.maximum : maximum, base = shift_of(both);
    all.sum = all.sum * exp_of(all.maximum - base) + sum(total) * exp_of(shift - base);
    all.maximum = both;
  }
  return all;
}
inline LogSumExp log_sum_exp(const float* x, int64_t size) {
  return log_sum_exp(
      x, size, [](int64_t, const Lanes&, auto) FUDE_INLINE_BODY {}, [](int64_t, float) FUDE_INLINE_BODY {});
}

// The first sweep leaves e^(x - shift of its block) in place of the logits, the second scales them.
inline LogSumExp softmax_in_place(float* x, int64_t size, float* shifts, float scale) {
  const LogSumExp all = log_sum_exp(
      x, size, [&](int64_t i, const Lanes& e, auto n) FUDE_INLINE_BODY { store_first(x + i, e, n); },
      [&](int64_t block, float shift) FUDE_INLINE_BODY { shifts[block] = shift; });
  for (int64_t first = 0; first < size; first += kLogitBlock) {
    const float factor = exp_of(shifts[first / kLogitBlock] - all.maximum) * (scale / all.sum);
    for_lanes(first, std::min(size, first + kLogitBlock),
              [&](int64_t i, auto n) FUDE_INLINE_BODY { store_first(x + i, load_first(x + i, n) * factor, n); });
  }
  return all;
}

inline void softmax_loss(Threads& threads, Tensor& logits_NV, int64_t classes, const int32_t* targets_N,
                         float gradient_scale, float* loss_N) {
  float* logits = logits_NV.data<float>();
  threads.parallel_for(logits_NV.rows(), rows_per_chunk(classes), [&](int64_t begin, int64_t end) {
    std::vector<float> shifts(size_t((classes + kLogitBlock - 1) / kLogitBlock));
    for (int64_t row = begin; row < end; ++row) {
      float* x = logits + row * classes;
      const int32_t target = targets_N[row];
      if (target < 0) {
        loss_N[row] = 0.0f;
        std::fill(x, x + classes, 0.0f);
        continue;
      }
      const float wanted = x[target];
      const LogSumExp all = gradient_scale == 0.0f ? log_sum_exp(x, classes)
                                                   : softmax_in_place(x, classes, shifts.data(), gradient_scale);
      loss_N[row] = all.maximum + log_of(all.sum) - wanted;
      if (gradient_scale != 0.0f) x[target] -= gradient_scale;
    }
  });
}

inline void log_softmax(Threads& threads, const Tensor& logits_NV, Tensor& y_NV) {
  const int64_t classes = logits_NV.cols();
  const float* logits = logits_NV.data<float>();
  float* y = y_NV.data<float>();
  threads.parallel_for(logits_NV.rows(), rows_per_chunk(classes), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* x = logits + row * classes;
      const LogSumExp all = log_sum_exp(x, classes);
      const float total = all.maximum + log_of(all.sum);
      for_lanes(0, classes, [&](int64_t i, auto n) FUDE_INLINE_BODY {
        store_first(y + row * classes + i, load_first(x + i, n) - total, n);
      });
    }
  });
}

inline void logit_sums(Threads& threads, const Tensor& logits_NV, const float* inverse_temperatures_N,
                       LogitSums* sums_N) {
  const int64_t classes = logits_NV.cols();
  const float* logits = logits_NV.data<float>();
  threads.parallel_for(logits_NV.rows(), rows_per_chunk(classes), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *x = logits + row * classes, inverse = inverse_temperatures_N[row];
      const LogSumExp all = log_sum_exp(x, classes);
      float mass = all.sum;
      if (inverse != 1.0f) {
        mass = 0.0f;
        for (int64_t first = 0; first < classes; first += kLogitBlock) {
          Lanes total{};
          for_lanes(first, std::min(classes, first + kLogitBlock), [&](int64_t i, auto n) FUDE_INLINE_BODY {
            total = total + keep_first(exp((load_first(x + i, n) - all.maximum) * inverse), n, 0.0f);
          });
          mass += sum(total);
        }
      }
      sums_N[row] = {all.maximum, all.maximum + log_of(all.sum), mass};
    }
  });
}

void fill_classifier_loss(Kernels& kernels) {
  kernels.softmax_loss = softmax_loss;
  kernels.log_softmax = log_softmax;
  kernels.logit_sums = logit_sums;
}
