// Kernels of kv_rows.

namespace {

inline void put_head(const float* x, int64_t d, float* to, float*) {
  for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY { store_first(to + i, load_first(x + i, n), n); });
}

inline void put_head(const float* x, int64_t d, BFloat16* to, float*) {
  for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY { store_first(to + i, load_first(x + i, n), n); });
}

inline void put_head(const float* x, int64_t d, int8_t* to, float* scale) {
  Lanes top{};
  for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes value = load_first(x + i, n);
    top = max(top, max(value, -value));
  });
  const float most = largest(top), inverse = most > 1e-30f ? 127.0f / most : 0.0f;
  *scale = most > 1e-30f ? most / 127.0f : 0.0f;
  constexpr float kRound = 12582912.0f;  // 1.5 · 2²³: adding it rounds to an integer, to nearest even
  for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    float whole[kLanes];
    // NaN becomes a number: what made it shows elsewhere.
    const Lanes within = min(max(load_first(x + i, n) * inverse, broadcast(-127.0f)), broadcast(127.0f));
    store(whole, within + kRound - kRound);
    for (int64_t lane = 0; lane < n; ++lane) to[i + lane] = int8_t(whole[lane]);
  });
}

template <class T>
void put_rows_as(Threads& threads, const Tensor& x_NGD, const std::vector<int64_t>& rows_N, const KvRows& kv) {
  const int64_t heads = x_NGD.shape()[1], d = x_NGD.shape()[2];
  const float* x = x_NGD.data<float>();
  T* to = kv.rows_RGD.data<T>();
  float* scales = kv.scales_RG.is_empty() ? nullptr : kv.scales_RG.data<float>();
  threads.parallel_for(x_NGD.rows(), rows_per_chunk(heads * d), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      for (int64_t head = 0; head < heads; ++head) {
        const int64_t at = rows_N[size_t(n)] * heads + head;
        put_head(x + (n * heads + head) * d, d, to + at * d, scales == nullptr ? nullptr : scales + at);
      }
  });
}

inline void put_kv_rows(Threads& threads, const Tensor& x_NGD, const std::vector<int64_t>& rows_N, const KvRows& to) {
  switch (to.rows_RGD.type()) {
    case DType::bf16:
      return put_rows_as<BFloat16>(threads, x_NGD, rows_N, to);
    case DType::i8:
      return put_rows_as<int8_t>(threads, x_NGD, rows_N, to);
    default:
      return put_rows_as<float>(threads, x_NGD, rows_N, to);
  }
}

}  // namespace

void fill_kv_rows(Kernels& kernels) { kernels.put_kv_rows = put_kv_rows; }
