// Kernels of layer_norm.
#include "ops/row_sums_cpu.h"

inline void layer_norm(Threads& threads, const Tensor& x_NC, const Tensor& pending_NC, const Tensor& weight_C,
                       const Tensor& bias_C, float eps, Tensor& sum_NC, Tensor& y_NC, Tensor& mean_N, Tensor& r_N) {
  const int64_t n = x_NC.rows(), c = x_NC.cols();
  const float *x = x_NC.data<float>(), *weight = weight_C.data<float>(), *bias = bias_C.data<float>();
  const float* pending = pending_NC.is_empty() ? nullptr : pending_NC.data<float>();
  float *summed = sum_NC.data<float>(), *y = y_NC.data<float>(), *mean = mean_N.data<float>(), *r = r_N.data<float>();
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
      Lanes total{}, squares{};
      for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY { total = total + load_first(from + i, lanes); });
      const float centre = sum(total) / float(c);
      for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
        const Lanes v = keep_first(load_first(from + i, lanes) - centre, lanes, 0.0f);
        squares = fma(v, v, squares);
      });
      const float scale = 1.0f / __builtin_sqrtf(sum(squares) / float(c) + eps);
      mean[row] = centre, r[row] = scale;
      for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
        const Lanes v = (load_first(from + i, lanes) - centre) * scale;
        store_first(y + row * c + i, fma(v, load_first(weight + i, lanes), load_first(bias + i, lanes)), lanes);
      });
    }
  });
}

inline void layer_norm_backward(Threads& threads, const Tensor& dy_NC, const Tensor& x_NC, const Tensor& weight_C,
                                const Tensor& mean_N, const Tensor& r_N, GradientPlace dx_NC, GradientPlace dweight_C,
                                GradientPlace dbias_C) {
  const int64_t n = x_NC.rows(), c = x_NC.cols();
  const float *dy = dy_NC.data<float>(), *x = x_NC.data<float>(), *weight = weight_C.data<float>();
  const float *mean = mean_N.data<float>(), *r = r_N.data<float>();
  float* dx = dx_NC.tensor.data<float>();
  const bool add = dx_NC.add;
  sum_over_rows(threads, n, 2 * c, {{dweight_C, 0, c}, {dbias_C, c, c}}, [&](int64_t row, float* dw) {
    const float *from = x + row * c, *g = dy + row * c;
    const float centre = mean[row], scale = r[row];
    float *to = dx + row * c, *db = dw + c;
    Lanes total{}, dot{};
    for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
      const Lanes normal = (load_first(from + i, lanes) - centre) * scale, gradient = load_first(g + i, lanes);
      const Lanes weighted = gradient * load_first(weight + i, lanes);
      total = total + weighted;
      dot = fma(weighted, normal, dot);
      store_first(dw + i, fma(gradient, normal, load_first(dw + i, lanes)), lanes);
      store_first(db + i, gradient + load_first(db + i, lanes), lanes);
    });
    const float mean_gradient = sum(total) / float(c), mean_dot = sum(dot) / float(c);
    for_lanes(0, c, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
      const Lanes normal = (load_first(from + i, lanes) - centre) * scale;
      const Lanes weighted = load_first(g + i, lanes) * load_first(weight + i, lanes);
      Lanes d = (weighted - mean_gradient - normal * mean_dot) * scale;
      if (add) d = d + load_first(to + i, lanes);
      store_first(to + i, d, lanes);
    });
  });
}

void fill_layer_norm(Kernels& kernels) {
  kernels.layer_norm = layer_norm;
  kernels.layer_norm_backward = layer_norm_backward;
}
