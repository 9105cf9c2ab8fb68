// Kernels of classifier_loss: the one log-softmax of the system, and its gradient over the logits in place.

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
inline constexpr int64_t kLogitBlock = 1024;

// A block that is masked out entirely (all -∞) is shifted by nothing, so that it adds exact zeros.
FUDE_INLINE float shift_of(float maximum) { return maximum == kMinusInfinity ? 0.0f : maximum; }

struct LogSumExp {
  float maximum = kMinusInfinity, sum = 0.0f;
};

// Of at most kLogitBlock logits, from `first` on. Calls each_exp(i, e^(x[i] - shift), n) where it is computed.
template <class EachExp>
FUDE_INLINE LogSumExp sum_block(const float* x, int64_t first, int64_t last, const EachExp& each_exp) {
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
  return {maximum, sum(total)};
}

FUDE_INLINE LogSumExp joined(const LogSumExp& all, const LogSumExp& block) {
  const float both = all.maximum > block.maximum ? all.maximum : block.maximum, base = shift_of(both);
  return {both, all.sum * exp_of(all.maximum - base) + block.sum * exp_of(shift_of(block.maximum) - base)};
}

// Calls each_exp, see sum_block, and each_block(block, its shift).
template <class EachExp, class EachBlock>
FUDE_INLINE LogSumExp log_sum_exp(const float* x, int64_t size, const EachExp& each_exp, const EachBlock& each_block) {
  LogSumExp all;
  for (int64_t first = 0; first < size; first += kLogitBlock) {
    const LogSumExp block = sum_block(x, first, std::min(size, first + kLogitBlock), each_exp);
    each_block(first / kLogitBlock, shift_of(block.maximum));
    all = joined(all, block);
  }
  return all;
}
inline LogSumExp log_sum_exp(const float* x, int64_t size) {
  return log_sum_exp(
      x, size, [](int64_t, const Lanes&, auto) FUDE_INLINE_BODY {}, [](int64_t, float) FUDE_INLINE_BODY {});
}

// scale · (softmax(x) - 1 at the target) in place of x. The first sweep leaves e^(x - shift of its block) in place of
// the logits, the second scales them by what scale_of(sums) says.
template <class ScaleOf>
FUDE_INLINE void softmax_in_place(float* x, int64_t size, float* shifts, const ScaleOf& scale_of, int32_t target) {
  const LogSumExp all = log_sum_exp(
      x, size, [&](int64_t i, const Lanes& e, auto n) FUDE_INLINE_BODY { store_first(x + i, e, n); },
      [&](int64_t block, float shift) FUDE_INLINE_BODY { shifts[block] = shift; });
  const float scale = scale_of(all);
  if (scale == 0.0f) return std::fill(x, x + size, 0.0f), void();
  for (int64_t first = 0; first < size; first += kLogitBlock) {
    const float factor = exp_of(shifts[first / kLogitBlock] - all.maximum) * (scale / all.sum);
    for_lanes(first, std::min(size, first + kLogitBlock),
              [&](int64_t i, auto n) FUDE_INLINE_BODY { store_first(x + i, load_first(x + i, n) * factor, n); });
  }
  x[target] -= scale;
}

// The slope of a row is known when its sum is: between the two sweeps.
inline void softmax_loss(Threads& threads, Tensor& logits_NV, int64_t classes, const SoftmaxLoss& options,
                         float* loss_N) {
  float* logits = logits_NV.data<float>();
  const float inverse = options.inverse_temperature;
  threads.parallel_for(logits_NV.rows(), rows_per_chunk(classes), [&](int64_t begin, int64_t end) {
    std::vector<float> shifts(size_t((classes + kLogitBlock - 1) / kLogitBlock));
    for (int64_t row = begin; row < end; ++row) {
      float* x = logits + row * classes;
      const int32_t target = options.targets_N[row];
      if (target < 0) {
        loss_N[row] = 0.0f;
        if (options.slope != nullptr) std::fill(x, x + classes, 0.0f);
        continue;
      }
      if (inverse != 1.0f)
        for_lanes(0, classes,
                  [&](int64_t i, auto n) FUDE_INLINE_BODY { store_first(x + i, load_first(x + i, n) * inverse, n); });
      const float wanted = x[target];
      if (options.slope == nullptr) {
        const LogSumExp all = log_sum_exp(x, classes);
        loss_N[row] = all.maximum + log_of(all.sum) - wanted;
        continue;
      }
      softmax_in_place(
          x, classes, shifts.data(),
          [&](const LogSumExp& all) {
            loss_N[row] = all.maximum + log_of(all.sum) - wanted;
            return inverse * (*options.slope)(options.first_row + row, -loss_N[row]);
          },
          target);
    }
  });
}

FUDE_INLINE float mass_of_block(const float* x, int64_t first, int64_t last, float top, float inverse) {
  Lanes total{};
  for_lanes(first, last, [&](int64_t j, auto n) FUDE_INLINE_BODY {
    total = total + keep_first(exp((load_first(x + j, n) - top) * inverse), n, 0.0f);
  });
  return sum(total);
}

inline LogitSums row_sums(const float* x, int64_t size, float inverse) {
  const LogSumExp all = log_sum_exp(x, size);
  LogitSums sums{all.maximum, all.maximum + log_of(all.sum), all.sum};
  if (inverse == 1.0f || all.maximum == kMinusInfinity) return sums;
  sums.mass = 0.0f;
  for (int64_t first = 0; first < size; first += kLogitBlock)
    sums.mass += mass_of_block(x, first, std::min(size, first + kLogitBlock), all.maximum, inverse);
  return sums;
}

// Blocks are shared among threads, also those of a single row, and joined in order.
inline void logit_sums(Threads& threads, const Tensor& logits_NV, const float* inverse_temperatures_N,
                       LogitSums* sums_N) {
  const int64_t classes = logits_NV.cols(), rows = logits_NV.rows();
  const int64_t blocks = (classes + kLogitBlock - 1) / kLogitBlock;
  const float* logits = logits_NV.data<float>();
  const auto for_blocks = [&](const auto& body) {
    threads.parallel_for(rows * blocks, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i / blocks, first = i % blocks * kLogitBlock;
        body(i, row, logits + row * classes, first, std::min(classes, first + kLogitBlock));
      }
    });
  };
  std::vector<LogSumExp> parts(size_t(rows * blocks));
  for_blocks([&](int64_t i, int64_t, const float* x, int64_t first, int64_t last) {
    parts[size_t(i)] = sum_block(x, first, last, [](int64_t, const Lanes&, auto) FUDE_INLINE_BODY {});
  });
  bool is_tempered = false;
  for (int64_t row = 0; row < rows; ++row) {
    LogSumExp all;
    for (int64_t block = 0; block < blocks; ++block) all = joined(all, parts[size_t(row * blocks + block)]);
    sums_N[row] = {all.maximum, all.maximum + log_of(all.sum), all.sum};
    is_tempered = is_tempered || inverse_temperatures_N[row] != 1.0f;
  }
  if (!is_tempered) return;
  for_blocks([&](int64_t i, int64_t row, const float* x, int64_t first, int64_t last) {
    const float inverse = inverse_temperatures_N[row];
    if (inverse != 1.0f) parts[size_t(i)].sum = mass_of_block(x, first, last, sums_N[row].top, inverse);
  });
  for (int64_t row = 0; row < rows; ++row) {
    if (inverse_temperatures_N[row] == 1.0f) continue;
    sums_N[row].mass = 0.0f;
    for (int64_t block = 0; block < blocks; ++block) sums_N[row].mass += parts[size_t(row * blocks + block)].sum;
  }
}

void fill_classifier_loss(Kernels& kernels) {
  kernels.softmax_loss = softmax_loss;
  kernels.logit_sums = logit_sums;
  kernels.row_sums = row_sums;
}
