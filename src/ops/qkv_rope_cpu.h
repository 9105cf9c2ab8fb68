// Kernels of qkv_rope: head by head, a row per work item. Norm gradients sum heads in order, rows in blocks of 64.

inline float head_reciprocal_root(const float* x, int64_t d, float eps) {
  Lanes squares{};
  for (int64_t i = 0; i < d; i += kLanes) {
    const Lanes v = load_first(x + i, d - i);
    squares = fma(v, v, squares);
  }
  return 1.0f / __builtin_sqrtf(sum(squares) / float(d) + eps);
}

inline void turn(float* x, int64_t d, const float* cosine, const float* sine, float direction) {
  for (int64_t i = 0; i < d / 2; ++i) {
    const float a = x[i], b = x[i + d / 2], s = sine[i] * direction;
    x[i] = a * cosine[i] - b * s;
    x[i + d / 2] = b * cosine[i] + a * s;
  }
}

inline void qkv_rope(Threads& threads, const Tensor& qkv_NX, const QkvRope& o, const std::vector<int32_t>& positions_N,
                     Tensor& q_NHD, Tensor& k_NGD, Tensor& v_NGD) {
  const int64_t n = qkv_NX.rows(), d = o.head_size, width = qkv_NX.cols();
  const float* qkv = qkv_NX.data<float>();
  float *q = q_NHD.data<float>(), *k = k_NGD.data<float>(), *v = v_NGD.data<float>();
  threads.parallel_for(n, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t p = positions_N[size_t(row)] * (d / 2);
      for (int64_t head = 0; head < o.heads + o.kv_heads; ++head) {
        const bool is_query = head < o.heads;
        const float* from = qkv + row * width + head * d;
        const float* norm = is_query ? o.q_norm_D : o.k_norm_D;
        float* to = is_query ? q + (row * o.heads + head) * d : k + (row * o.kv_heads + head - o.heads) * d;
        const float r = norm ? head_reciprocal_root(from, d, o.norm_eps) : 1.0f;
        for (int64_t i = 0; i < d; ++i) to[i] = norm ? from[i] * r * norm[i] : from[i];
        if (o.cos_PD) turn(to, d, o.cos_PD + p, o.sin_PD + p, 1.0f);
      }
      std::copy_n(qkv + row * width + (o.heads + o.kv_heads) * d, o.kv_heads * d, v + row * o.kv_heads * d);
    }
  });
}

inline void qkv_rope_backward(Threads& threads, const Tensor& dq_NHD, const Tensor& dk_NGD, const Tensor& dv_NGD,
                              const Tensor& qkv_NX, const QkvRope& o, const std::vector<int32_t>& positions_N,
                              GradientPlace dqkv_NX, GradientPlace dq_norm_D, GradientPlace dk_norm_D) {
  const int64_t n = qkv_NX.rows(), d = o.head_size, width = qkv_NX.cols();
  const float *qkv = qkv_NX.data<float>(), *dq = dq_NHD.data<float>(), *dk = dk_NGD.data<float>(),
              *dv = dv_NGD.data<float>();
  float* dx = dqkv_NX.tensor.data<float>();
  const bool add = dqkv_NX.add;
  constexpr int64_t kRows = 64;
  const int64_t blocks = (n + kRows - 1) / kRows;
  std::vector<float> partial(o.q_norm_D ? size_t(blocks * 2 * d) : 0, 0.0f);
  threads.parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> g(static_cast<size_t>(d));
    for (int64_t row = begin * kRows; row < std::min(n, end * kRows); ++row) {
      const int64_t p = positions_N[size_t(row)] * (d / 2);
      for (int64_t head = 0; head < o.heads + o.kv_heads; ++head) {
        const bool is_query = head < o.heads;
        const float* from = qkv + row * width + head * d;
        float* to = dx + row * width + head * d;
        const float* norm = is_query ? o.q_norm_D : o.k_norm_D;
        std::copy_n(is_query ? dq + (row * o.heads + head) * d : dk + (row * o.kv_heads + head - o.heads) * d, d, g.data());
        if (o.cos_PD) turn(g.data(), d, o.cos_PD + p, o.sin_PD + p, -1.0f);
        if (norm) {
          const float r = head_reciprocal_root(from, d, o.norm_eps);
          float* sums = partial.data() + (row / kRows * 2 + (is_query ? 0 : 1)) * d;
          Lanes dot{};
          for (int64_t i = 0; i < d; i += kLanes) {
            const Lanes x = load_first(from + i, d - i), gradient = load_first(g.data() + i, d - i);
            dot = fma(gradient * load_first(norm + i, d - i), x, dot);
            store_first(sums + i, fma(gradient * r, x, load_first(sums + i, d - i)), d - i);
          }
          const float scale = sum(dot) * r * r * r / float(d);
          for (int64_t i = 0; i < d; ++i) g[size_t(i)] = g[size_t(i)] * norm[i] * r - from[i] * scale;
        }
        for (int64_t i = 0; i < d; ++i) to[i] = add ? to[i] + g[size_t(i)] : g[size_t(i)];
      }
      const int64_t tail = (o.heads + o.kv_heads) * d;
      for (int64_t i = 0; i < o.kv_heads * d; ++i) {
        float& to = dx[row * width + tail + i];
        to = add ? to + dv[row * o.kv_heads * d + i] : dv[row * o.kv_heads * d + i];
      }
    }
  });
  if (o.q_norm_D == nullptr) return;
  for (int side = 0; side < 2; ++side) {
    const GradientPlace& place = side == 0 ? dq_norm_D : dk_norm_D;
    float* to = place.tensor.data<float>();
    if (!place.add) std::fill(to, to + d, 0.0f);
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t i = 0; i < d; ++i) to[i] += partial[size_t((block * 2 + side) * d + i)];
  }
}

void fill_qkv_rope(Kernels& kernels) {
  kernels.qkv_rope = qkv_rope;
  kernels.qkv_rope_backward = qkv_rope_backward;
}
