// Kernels of embedding. A row of the table is a column of a panel, one element in every 32. Backward: a
// thread owns columns and walks the tokens in order, so equal tokens add in order.

inline void embedding(Threads& threads, const std::vector<int32_t>& rows_N, const Parameter& table, float scale,
                      Tensor& x_NC, bool add) {
  const int64_t n = int64_t(rows_N.size()), c = table.cols();
  float* x = x_NC.data<float>();
  threads.parallel_for(n, rows_per_chunk(c), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = table.position(rows_N[size_t(i)], 0);
      float* to = x + i * c;
      const auto take = [&](int64_t k, float value) { to[k] = add ? to[k] + scale * value : scale * value; };
      if (table.is_in_blocks()) {
        float* row = scratch(ScratchUse::rows, c);
        table.get_rows(rows_N[size_t(i)], 1, row);
        for (int64_t k = 0; k < c; ++k) take(k, row[k]);
      } else if (table.is_in_halves()) {
        const auto take_all = [&](const auto* row) {
          for (int64_t k = 0; k < c; ++k) take(k, float(row[k * kPanel]));
        };
        table.packed().type() == DType::f16 ? take_all(table.packed().data<Float16>() + at)
                                            : take_all(table.packed().data<BFloat16>() + at);
      } else if (table.compute() == DType::bf16) {
        const BFloat16* row = table.packed().data<BFloat16>() + paired_position(at);
        for (int64_t k = 0; k < c; ++k) take(k, float(row[k / 2 * 2 * kPanel + k % 2]));
      } else {
        const float* row = table.packed().data<float>() + at;
        for (int64_t k = 0; k < c; ++k) take(k, row[k * kPanel]);
      }
    }
  });
}

inline void embedding_backward(Threads& threads, const Tensor& dx_NC, const std::vector<int32_t>& rows_N, float scale,
                               GradientPlace dtable) {
  const int64_t n = int64_t(rows_N.size()), c = dx_NC.cols(), size = dtable.tensor.size();
  const float* dx = dx_NC.data<float>();
  float* to = dtable.tensor.data<float>();
  if (!dtable.add)
    threads.parallel_for(size, 1 << 16, [&](int64_t begin, int64_t end) { std::fill(to + begin, to + end, 0.0f); });
  threads.parallel_for(c, 32, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = rows_N[size_t(i)];
      float* column = to + row / kPanel * c * kPanel + row % kPanel;
      for (int64_t k = begin; k < end; ++k) column[k * kPanel] += scale * dx[i * c + k];
    }
  });
}

void fill_embedding(Kernels& kernels) {
  kernels.embedding = embedding;
  kernels.embedding_backward = embedding_backward;
}
