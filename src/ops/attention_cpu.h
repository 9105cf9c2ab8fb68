// Kernels of attention. A work item is one sequence and one key/value head: it turns each block of keys once, so that
// keys are lanes, and runs every query row of every head of the group over it.

// Keys [0, count) of a block, turned: [D, 256], zero behind the last key.
inline void turn_keys(const float* keys, int64_t stride, int64_t count, int64_t d, float* turned) {
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t j = 0; j < count; ++j) turned[i * kKeyBlock + j] = keys[j * stride + i];
    for (int64_t j = count; j < (count + kLanes - 1) / kLanes * kLanes; ++j) turned[i * kKeyBlock + j] = 0.0f;
  }
}

// out[j] = Σ over i of x[i] · turned[i][j], one chain per key.
inline void row_times_keys(const float* x, const float* turned, int64_t count, int64_t d, float* out) {
  int64_t j = 0;
  for (; j + 4 * kLanes <= (count + kLanes - 1) / kLanes * kLanes; j += 4 * kLanes) {
    Lanes s0{}, s1{}, s2{}, s3{};
    for (int64_t i = 0; i < d; ++i) {
      const float* from = turned + i * kKeyBlock + j;
      const Lanes b = broadcast(x[i]);
      s0 = fma(b, load(from), s0), s1 = fma(b, load(from + 16), s1);
      s2 = fma(b, load(from + 32), s2), s3 = fma(b, load(from + 48), s3);
    }
    store(out + j, s0), store(out + j + 16, s1), store(out + j + 32, s2), store(out + j + 48, s3);
  }
  for (; j < count; j += kLanes) {
    Lanes s{};
    for (int64_t i = 0; i < d; ++i) s = fma(broadcast(x[i]), load(turned + i * kKeyBlock + j), s);
    store(out + j, s);
  }
}

// y[i] += Σ over j of p[j] · rows[j][i], one chain per i.
inline void keys_times_row(const float* p, const float* rows, int64_t stride, int64_t count, int64_t d, float* y) {
  int64_t i = 0;
  for (; i + 4 * kLanes <= d; i += 4 * kLanes) {
    Lanes s0 = load(y + i), s1 = load(y + i + 16), s2 = load(y + i + 32), s3 = load(y + i + 48);
    for (int64_t j = 0; j < count; ++j) {
      const float* row = rows + j * stride + i;
      const Lanes b = broadcast(p[j]);
      s0 = fma(b, load(row), s0), s1 = fma(b, load(row + 16), s1);
      s2 = fma(b, load(row + 32), s2), s3 = fma(b, load(row + 48), s3);
    }
    store(y + i, s0), store(y + i + 16, s1), store(y + i + 32, s2), store(y + i + 48, s3);
  }
  for (; i < d; i += kLanes) {
    Lanes s = load_first(y + i, d - i);
    for (int64_t j = 0; j < count; ++j) s = fma(broadcast(p[j]), load_first(rows + j * stride + i, d - i), s);
    store_first(y + i, s, d - i);
  }
}

FUDE_INLINE float exp_of(float x) { return exp(broadcast(x)).part[0][0]; }

inline void attention(Threads& threads, const Tensor& q_NHD, const KvView& kv, const TokenBatch& batch, Tensor& o_NHD,
                      Tensor& lse_NH) {
  const int64_t heads = q_NHD.shape()[1], d = q_NHD.shape()[2], kv_heads = kv.k_RGD.shape()[1], group = heads / kv_heads;
  const float *q = q_NHD.data<float>(), *k = kv.k_RGD.data<float>(), *v = kv.v_RGD.data<float>();
  float *o = o_NHD.data<float>(), *lse = lse_NH.data<float>();
  const float scale = 1.0f / __builtin_sqrtf(float(d));
  const int64_t stride = kv_heads * d;
  threads.parallel_for(batch.sequences() * kv_heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> turned(size_t(d * kKeyBlock)), scores(kKeyBlock), block_out(size_t(d) + kLanes);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t s = item / kv_heads, g = item % kv_heads;
      const int64_t first = batch.sequence_starts[size_t(s)], last = batch.sequence_starts[size_t(s) + 1];
      if (first == last) continue;
      const int64_t keys = batch.positions_N[size_t(last - 1)] + 1;
      std::vector<float> maxima(size_t((last - first) * group)), sums(size_t((last - first) * group));
      for (int64_t block = 0; block * kKeyBlock < keys; ++block) {
        const int64_t key0 = kv.block_rows[size_t(kv.first_block[size_t(s)] + block)];
        const float *block_k = k + key0 * stride + g * d, *block_v = v + key0 * stride + g * d;
        turn_keys(block_k, stride, std::min(kKeyBlock, keys - block * kKeyBlock), d, turned.data());
        for (int64_t n = first; n < last; ++n) {
          const int64_t visible = std::min<int64_t>(kKeyBlock, batch.positions_N[size_t(n)] + 1 - block * kKeyBlock);
          if (visible <= 0) continue;
          for (int64_t h = g * group; h < (g + 1) * group; ++h) {
            row_times_keys(q + (n * heads + h) * d, turned.data(), visible, d, scores.data());
            Lanes top = broadcast(-std::numeric_limits<float>::infinity()), total{};
            const int64_t padded = (visible + kLanes - 1) / kLanes * kLanes;
            for (int64_t j = visible; j < padded; ++j) scores[size_t(j)] = -std::numeric_limits<float>::infinity();
            for (int64_t j = 0; j < padded; j += kLanes) top = max(top, load(scores.data() + j));
            const float block_max = largest(top) * scale;
            for (int64_t j = 0; j < padded; j += kLanes) {
              const Lanes p = exp(load(scores.data() + j) * scale - block_max);
              total = total + p;
              store(scores.data() + j, p);
            }
            const float block_sum = sum(total);
            float* out = o + (n * heads + h) * d;
            const size_t row = size_t((n - first) * group + h - g * group);
            if (block == 0) {
              std::fill(out, out + d, 0.0f);
              keys_times_row(scores.data(), block_v, stride, visible, d, out);
              maxima[row] = block_max, sums[row] = block_sum;
            } else {
              std::fill(block_out.begin(), block_out.end(), 0.0f);
              keys_times_row(scores.data(), block_v, stride, visible, d, block_out.data());
              const float both = maxima[row] > block_max ? maxima[row] : block_max;
              const float old_scale = exp_of(maxima[row] - both), new_scale = exp_of(block_max - both);
              for (int64_t i = 0; i < d; ++i) out[i] = out[i] * old_scale + block_out[size_t(i)] * new_scale;
              sums[row] = sums[row] * old_scale + block_sum * new_scale;
              maxima[row] = both;
            }
          }
        }
      }
      for (int64_t n = first; n < last; ++n)
        for (int64_t h = g * group; h < (g + 1) * group; ++h) {
          const size_t row = size_t((n - first) * group + h - g * group);
          const float inverse = 1.0f / sums[row];
          for (int64_t i = 0; i < d; ++i) o[(n * heads + h) * d + i] *= inverse;
          lse[n * heads + h] = maxima[row] + __builtin_logf(sums[row]);
        }
    }
  });
}

inline void attention_backward(Threads& threads, const Tensor& do_NHD, const Tensor& q_NHD, const KvView& kv,
                               const TokenBatch& batch, const Tensor& o_NHD, const Tensor& lse_NH, GradientPlace dq_NHD,
                               GradientPlace dk_NGD, GradientPlace dv_NGD) {
  const int64_t heads = q_NHD.shape()[1], d = q_NHD.shape()[2], kv_heads = kv.k_RGD.shape()[1], group = heads / kv_heads;
  const float *q = q_NHD.data<float>(), *k = kv.k_RGD.data<float>(), *v = kv.v_RGD.data<float>();
  const float *dout = do_NHD.data<float>(), *o = o_NHD.data<float>(), *lse = lse_NH.data<float>();
  float *dq = dq_NHD.tensor.data<float>(), *dk = dk_NGD.tensor.data<float>(), *dv = dv_NGD.tensor.data<float>();
  if (!dq_NHD.add) std::fill(dq, dq + q_NHD.size(), 0.0f);
  if (!dk_NGD.add) std::fill(dk, dk + kv.k_RGD.size(), 0.0f);
  if (!dv_NGD.add) std::fill(dv, dv + kv.v_RGD.size(), 0.0f);
  const float scale = 1.0f / __builtin_sqrtf(float(d));
  const int64_t stride = kv_heads * d;
  threads.parallel_for(batch.sequences() * kv_heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> turned_k(size_t(d * kKeyBlock)), turned_v(size_t(d * kKeyBlock)), p(kKeyBlock), dp(kKeyBlock);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t s = item / kv_heads, g = item % kv_heads;
      const int64_t first = batch.sequence_starts[size_t(s)], last = batch.sequence_starts[size_t(s) + 1];
      if (first == last) continue;
      const int64_t keys = batch.positions_N[size_t(last - 1)] + 1;
      for (int64_t block = 0; block * kKeyBlock < keys; ++block) {
        const int64_t key0 = kv.block_rows[size_t(kv.first_block[size_t(s)] + block)] * stride + g * d;
        const int64_t count = std::min(kKeyBlock, keys - block * kKeyBlock);
        turn_keys(k + key0, stride, count, d, turned_k.data());
        turn_keys(v + key0, stride, count, d, turned_v.data());
        for (int64_t n = first; n < last; ++n) {
          const int64_t visible = std::min<int64_t>(kKeyBlock, batch.positions_N[size_t(n)] + 1 - block * kKeyBlock);
          if (visible <= 0) continue;
          for (int64_t h = g * group; h < (g + 1) * group; ++h) {
            const int64_t at = (n * heads + h) * d;
            Lanes dot{};
            for (int64_t i = 0; i < d; i += kLanes) dot = fma(load_first(dout + at + i, d - i), load_first(o + at + i, d - i), dot);
            const float delta = sum(dot), row_lse = lse[n * heads + h];
            row_times_keys(q + at, turned_k.data(), visible, d, p.data());
            row_times_keys(dout + at, turned_v.data(), visible, d, dp.data());
            for (int64_t j = 0; j < visible; j += kLanes) {
              const Lanes weight = exp(load(p.data() + j) * scale - row_lse);
              store(p.data() + j, weight);
              store(dp.data() + j, weight * (load(dp.data() + j) - delta) * scale);
            }
            keys_times_row(dp.data(), k + key0, stride, visible, d, dq + at);
            for (int64_t i = 0; i < d; i += kLanes) {
              const Lanes query = load_first(q + at + i, d - i), gradient = load_first(dout + at + i, d - i);
              for (int64_t j = 0; j < visible; ++j) {
                float *to_k = dk + key0 + j * stride + i, *to_v = dv + key0 + j * stride + i;
                store_first(to_k, fma(broadcast(dp[size_t(j)]), query, load_first(to_k, d - i)), d - i);
                store_first(to_v, fma(broadcast(p[size_t(j)]), gradient, load_first(to_v, d - i)), d - i);
              }
            }
          }
        }
      }
    }
  });
}

void fill_attention(Kernels& kernels) {
  kernels.attention = attention;
  kernels.attention_backward = attention_backward;
}
