// Kernels of rms_norm.
#include "ops/rms_row_cpu.h"
#include "ops/row_sums_cpu.h"

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
      r[row] = reciprocal_rms(from, c, eps);
      rms_row(from, weight, c, r[row], y + row * c);
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
    rms_row_backward(x + row * c, dy + row * c, weight, c, r[row], add, dx + row * c, dw);
  });
}

void fill_rms_norm(Kernels& kernels) {
  kernels.rms_norm = rms_norm;
  kernels.rms_norm_backward = rms_norm_backward;
}
