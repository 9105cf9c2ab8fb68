// Kernels of qkv_rope: head by head, a row per work item. Norm gradients sum heads in order, rows in blocks
// of 64.

inline float head_reciprocal_root(const float* x, int64_t d, float eps) {
  Lanes squares{};
  for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes v = load_first(x + i, n);
    squares = fma(v, v, squares);
  });
  return 1.0f / __builtin_sqrtf(sum(squares) / float(d) + eps);
}

// Turns the pairs (i, i + D/2), in place or not; backwards with direction -1.
inline void turn(const float* x, int64_t d, const float* cosine, const float* sine, float direction,
                 float* y) {
  const int64_t half = d / 2;
  for_lanes(0, half, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes a = load_first(x + i, n), b = load_first(x + half + i, n);
    const Lanes c = load_first(cosine + i, n), s = load_first(sine + i, n) * direction;
    store_first(y + i, a * c - b * s, n);
    store_first(y + half + i, b * c + a * s, n);
  });
}

inline void qkv_rope(Threads& threads, const Tensor& qkv_NX, const QkvRope& o,
                     const std::vector<int32_t>& positions_N, Tensor& q_NHD, Tensor& k_NGD, Tensor& v_NGD) {
  const int64_t n = qkv_NX.rows(), d = o.head_size, width = qkv_NX.cols();
  const float* qkv = qkv_NX.data<float>();
  float *q = q_NHD.data<float>(), *k = k_NGD.data<float>(), *v = v_NGD.data<float>();
  const auto put_heads = [&](const float* from, int64_t heads, const float* norm, int64_t position,
                             float* to) {
    if (norm == nullptr && o.cos_PD == nullptr) return void(std::copy_n(from, heads * d, to));
    const int64_t at = position * (d / 2);
    for (int64_t head = 0; head < heads; ++head, from += d, to += d) {
      if (norm != nullptr) {
        const float r = head_reciprocal_root(from, d, o.norm_eps);
        for_lanes(0, d, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
          store_first(to + i, load_first(from + i, lanes) * r * load_first(norm + i, lanes), lanes);
        });
      }
      if (o.cos_PD != nullptr) turn(norm ? to : from, d, o.cos_PD + at, o.sin_PD + at, 1.0f, to);
    }
  };
  threads.parallel_for(n, rows_per_chunk(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float *queries = qkv + row * width, *keys = queries + o.heads * d,
                  *values = keys + o.kv_heads * d;
      put_heads(queries, o.heads, o.q_norm_D, positions_N[size_t(row)], q + row * o.heads * d);
      put_heads(keys, o.kv_heads, o.k_norm_D, positions_N[size_t(row)], k + row * o.kv_heads * d);
      std::copy_n(values, o.kv_heads * d, v + row * o.kv_heads * d);
    }
  });
}

// A gradient that does not exist (an empty tensor) is zero.
inline void qkv_rope_backward(Threads& threads, const Tensor& dq_NHD, const Tensor& dk_NGD,
                              const Tensor& dv_NGD, const Tensor& qkv_NX, const QkvRope& o,
                              const std::vector<int32_t>& positions_N, GradientPlace dqkv_NX,
                              GradientPlace dq_norm_D, GradientPlace dk_norm_D) {
  const int64_t n = qkv_NX.rows(), d = o.head_size, width = qkv_NX.cols();
  const auto data_of = [](const Tensor& x) { return x.is_empty() ? nullptr : x.data<float>(); };
  const float *qkv = qkv_NX.data<float>(), *dq = data_of(dq_NHD), *dk = data_of(dk_NGD),
              *dv = data_of(dv_NGD);
  float* dx = dqkv_NX.tensor.data<float>();
  const bool add = dqkv_NX.add;
  const auto put = [&](const float* from, int64_t size, float* to) {
    if (from == nullptr && !add) std::fill_n(to, size, 0.0f);
    if (from != nullptr)
      for_lanes(0, size, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
        const Lanes g = load_first(from + i, lanes);
        store_first(to + i, add ? load_first(to + i, lanes) + g : g, lanes);
      });
  };
  constexpr int64_t kRows = 64;
  const int64_t blocks = (n + kRows - 1) / kRows;
  std::vector<float> partial(o.q_norm_D ? size_t(blocks * 2 * d) : 0, 0.0f);
  threads.parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> turned(static_cast<size_t>(d));
    float* g = turned.data();
    const auto put_heads = [&](const float* from, const float* x, int64_t heads, const float* norm,
                               int64_t position, float* norm_sums, float* to) {
      if (from == nullptr || (norm == nullptr && o.cos_PD == nullptr)) return put(from, heads * d, to);
      const int64_t at = position * (d / 2);
      for (int64_t head = 0; head < heads; ++head, from += d, x += d, to += d) {
        if (o.cos_PD != nullptr)
          turn(from, d, o.cos_PD + at, o.sin_PD + at, -1.0f, g);
        else
          std::copy_n(from, d, g);
        if (norm != nullptr) {
          const float r = head_reciprocal_root(x, d, o.norm_eps);
          Lanes dot{};
          for_lanes(0, d, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
            const Lanes value = load_first(x + i, lanes), gradient = load_first(g + i, lanes);
            dot = fma(gradient * load_first(norm + i, lanes), value, dot);
            store_first(norm_sums + i, fma(gradient * r, value, load_first(norm_sums + i, lanes)), lanes);
          });
          const float scale = sum(dot) * r * r * r / float(d);
          for_lanes(0, d, [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
            const Lanes whole = load_first(g + i, lanes) * load_first(norm + i, lanes) * r;
            store_first(g + i, whole - load_first(x + i, lanes) * scale, lanes);
          });
        }
        put(g, d, to);
      }
    };
    for (int64_t row = begin * kRows; row < std::min(n, end * kRows); ++row) {
      const int64_t queries = row * width, keys = queries + o.heads * d, values = keys + o.kv_heads * d;
      float* sums = partial.data() + row / kRows * 2 * d;
      put_heads(dq ? dq + row * o.heads * d : nullptr, qkv + queries, o.heads, o.q_norm_D,
                positions_N[size_t(row)], sums, dx + queries);
      put_heads(dk ? dk + row * o.kv_heads * d : nullptr, qkv + keys, o.kv_heads, o.k_norm_D,
                positions_N[size_t(row)], sums + d, dx + keys);
      put(dv ? dv + row * o.kv_heads * d : nullptr, o.kv_heads * d, dx + values);
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
