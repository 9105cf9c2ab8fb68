// Kernels of qkv_rope: head by head. The gradient of a norm sums the heads of a row in order.
#include "ops/rms_row_cpu.h"
#include "ops/row_sums_cpu.h"

// Turns the pairs (i, i + D/2), in place or not; backwards with direction -1.
inline void turn(const float* x, int64_t d, const float* cosine, const float* sine, float direction, float* y) {
  const int64_t half = d / 2;
  for_lanes(0, half, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes a = load_first(x + i, n), b = load_first(x + half + i, n);
    const Lanes c = load_first(cosine + i, n), s = load_first(sine + i, n) * direction;
    store_first(y + i, a * c - b * s, n);
    store_first(y + half + i, b * c + a * s, n);
  });
}

inline void qkv_rope(Threads& threads, const Tensor& qkv_NX, const QkvRope& o, const std::vector<int32_t>& positions_N,
                     Tensor& q_NHD, Tensor& k_NGD, Tensor& v_NGD) {
  const int64_t n = qkv_NX.rows(), d = o.head_size, width = qkv_NX.cols();
  const float* qkv = qkv_NX.data<float>();
  float *q = q_NHD.data<float>(), *k = k_NGD.data<float>(), *v = v_NGD.data<float>();
  const auto put_heads = [&](const float* from, int64_t heads, const float* norm, int32_t position, float* to) {
    if (norm == nullptr && o.rotation_blocks == nullptr) return void(std::copy_n(from, heads * d, to));
    const float* cosines = o.rotation_blocks != nullptr ? o.rotation_of(position) : nullptr;
    for (int64_t head = 0; head < heads; ++head, from += d, to += d) {
      if (norm != nullptr) rms_row(from, norm, d, reciprocal_rms(from, d, o.norm_eps), to);
      if (cosines != nullptr) turn(norm ? to : from, d, cosines, cosines + d / 2, 1.0f, to);
    }
  };
  threads.parallel_for(n, rows_per_chunk(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *queries = qkv + row * width, *keys = queries + o.heads * d, *values = keys + o.kv_heads * d;
      put_heads(queries, o.heads, o.q_norm_D, positions_N[size_t(row)], q + row * o.heads * d);
      put_heads(keys, o.kv_heads, o.k_norm_D, positions_N[size_t(row)], k + row * o.kv_heads * d);
      std::copy_n(values, o.kv_heads * d, v + row * o.kv_heads * d);
    }
  });
}

// A gradient that does not exist (an empty tensor) is zero. qkv is read for the norms only.
inline void qkv_rope_backward(Threads& threads, const Tensor& dq_NHD, const Tensor& dk_NGD, const Tensor& dv_NGD,
                              const Tensor& qkv_NX, const QkvRope& o, const std::vector<int32_t>& positions_N,
                              GradientPlace dqkv_NX, GradientPlace dq_norm_D, GradientPlace dk_norm_D) {
  const int64_t d = o.head_size, width = (o.heads + 2 * o.kv_heads) * d;
  const float* qkv = qkv_NX.data<float>();
  float* dqkv = dqkv_NX.tensor.data<float>();
  const bool add = dqkv_NX.add;
  const auto put = [&](const float* from, int64_t size, float* to) {
    for_lanes(0, size, [&](int64_t i, auto n) FUDE_INLINE_BODY {
      const Lanes g = load_first(from + i, n);
      store_first(to + i, add ? load_first(to + i, n) + g : g, n);
    });
  };
  // The heads of one row that begin at column `begin` of qkv; their gradients are a row of dy.
  const auto put_heads = [&](const Tensor& dy, int64_t row, int64_t begin, int64_t heads, const float* norm,
                             bool is_turned, float* dnorm) {
    float* dx = dqkv + row * width + begin;
    if (dy.is_empty()) {
      if (!add) std::fill_n(dx, heads * d, 0.0f);
      return;
    }
    const float* from = dy.data<float>() + row * heads * d;
    if (norm == nullptr && !is_turned) return put(from, heads * d, dx);
    float* turned = scratch(ScratchUse::rows, d);
    const float* cosines = is_turned ? o.rotation_of(positions_N[size_t(row)]) : nullptr;
    for (int64_t head = 0; head < heads; ++head, from += d, dx += d) {
      if (is_turned) turn(from, d, cosines, cosines + d / 2, -1.0f, turned);
      const float* g = is_turned ? turned : from;
      if (norm == nullptr) {
        put(g, d, dx);
      } else {
        const float* x = qkv + row * width + begin + head * d;
        rms_row_backward(x, g, norm, d, reciprocal_rms(x, d, o.norm_eps), add, dx, dnorm);
      }
    }
  };
  sum_over_rows(threads, int64_t(positions_N.size()), 2 * d, {{dq_norm_D, 0, d}, {dk_norm_D, d, d}},
                [&](int64_t row, float* sums) {
                  const int64_t keys = o.heads * d, values = keys + o.kv_heads * d;
                  put_heads(dq_NHD, row, 0, o.heads, o.q_norm_D, o.rotation_blocks != nullptr, sums);
                  put_heads(dk_NGD, row, keys, o.kv_heads, o.k_norm_D, o.rotation_blocks != nullptr, sums + d);
                  put_heads(dv_NGD, row, values, o.kv_heads, nullptr, false, nullptr);
                });
}

void fill_qkv_rope(Kernels& kernels) {
  kernels.qkv_rope = qkv_rope;
  kernels.qkv_rope_backward = qkv_rope_backward;
}
