// Kernels of rms_norm.
#include "ops/row_sums_cpu.h"

FUDE_INLINE float reciprocal_root(float x) { return 1.0f / __builtin_sqrtf(x); }

inline void rms_norm(Threads& threads, const Tensor& x_NC, const Tensor& pending_NC, const Tensor& weight_C, float eps,
                     Tensor& sum_NC, Tensor& y_NC, Tensor& r_N) {
  const int64_t n = x_NC.rows(), c = x_NC.cols();
  const float *x = x_NC.data<float>(), *weight = weight_C.data<float>();
  const float* pending = pending_NC.is_empty() ? nullptr : pending_NC.data<float>();
  float *summed = sum_NC.data<float>(), *y = y_NC.data<float>(), *r = r_N.data<float>();
  threads.parallel_for(n, rows_per_chunk(c), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* from = x + row * c;
      if (pending != nullptr) {
        float* to = summed + row * c;
        for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
          store_first(to + i, load_first(from + i, lanes) + load_first(pending + row * c + i, lanes), lanes);
        });
        from = to;
      }
      Lanes squares{};
      for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
        const Lanes v = load_first(from + i, lanes);
        squares = fma(v, v, squares);
      });
      const float scale = reciprocal_root(sum(squares) / float(c) + eps);
      r[row] = scale;
      for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
        store_first(y + row * c + i, load_first(from + i, lanes) * scale * load_first(weight + i, lanes), lanes);
      });
    }
  });
}

inline void rms_norm_backward(Threads& threads, const Tensor& dy_NC, const Tensor& x_NC, const Tensor& weight_C,
                              const Tensor& r_N, GradientPlace dx_NC, GradientPlace dweight_C) {
  const int64_t n = x_NC.rows(), c = x_NC.cols();
  const float *dy = dy_NC.data<float>(), *x = x_NC.data<float>(), *weight = weight_C.data<float>();
  const float* r = r_N.data<float>();
  float* dx = dx_NC.tensor.data<float>();
  const bool add = dx_NC.add;
  sum_over_rows(threads, n, c, {{dweight_C, 0, c}}, [&](int64_t row, float* dw) {
    const float *from = x + row * c, *g = dy + row * c;
    const float root = r[row];
    float* to = dx + row * c;
    Lanes dot{};
    for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
      const Lanes v = load_first(from + i, lanes), gradient = load_first(g + i, lanes);
      dot = fma(gradient * load_first(weight + i, lanes), v, dot);
      store_first(dw + i, fma(gradient * root, v, load_first(dw + i, lanes)), lanes);
    });
    const float scale = sum(dot) * root * root * root / float(c);
    for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
      const Lanes v = load_first(from + i, lanes);
      Lanes d = load_first(g + i, lanes) * load_first(weight + i, lanes) * root - v * scale;
      if (add) d = d + load_first(to + i, lanes);
      store_first(to + i, d, lanes);
    });
  });
}

void fill_rms_norm(Kernels& kernels) {
  kernels.rms_norm = rms_norm;
  kernels.rms_norm_backward = rms_norm_backward;
}
