// Kernels of low_rank: columns of y from `first` on get a scaled product; its gradient is theirs, scaled.

inline void add_scaled(Threads& threads, const Tensor& delta_NS, float scale, int64_t first, Tensor& y_NO) {
  const int64_t columns = delta_NS.cols(), stride = y_NO.cols();
  const float* delta = delta_NS.data<float>();
  float* y = y_NO.data<float>() + first;
  threads.parallel_for(delta_NS.rows(), std::max<int64_t>(1, 16384 / columns), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const float* from = delta + n * columns;
      float* to = y + n * stride;
      for_lanes(0, columns, [&](int64_t i, auto count) FUDE_INLINE_BODY {
        store_first(to + i, load_first(to + i, count) + load_first(from + i, count) * scale, count);
      });
    }
  });
}

inline void take_scaled(Threads& threads, const Tensor& dy_NO, float scale, int64_t first, Tensor& ddelta_NS) {
  const int64_t columns = ddelta_NS.cols(), stride = dy_NO.cols();
  const float* dy = dy_NO.data<float>() + first;
  float* ddelta = ddelta_NS.data<float>();
  threads.parallel_for(ddelta_NS.rows(), std::max<int64_t>(1, 16384 / columns), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      for_lanes(0, columns, [&](int64_t i, auto count) FUDE_INLINE_BODY {
        store_first(ddelta + n * columns + i, load_first(dy + n * stride + i, count) * scale, count);
      });
  });
}

void fill_low_rank(Kernels& kernels) {
  kernels.add_scaled = add_scaled;
  kernels.take_scaled = take_scaled;
}
