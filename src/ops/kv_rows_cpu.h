// Kernels of kv_rows.

namespace {

// Puts elements `step` apart.
template <class T>
FUDE_INLINE void put_lanes(T* to, int64_t step, const Lanes& x, int64_t n) {
  if (step == 1) return store_first(to, x, n);
  T lanes[kLanes];
  store_first(lanes, x, kLanes);
  for (int64_t lane = 0; lane < n; ++lane) to[lane * step] = lanes[lane];
}

template <class T>
inline void put_head(const float* x, int64_t d, T* to, int64_t step, float*) {
  for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY { put_lanes(to + i * step, step, load_first(x + i, n), n); });
}

inline void put_head(const float* x, int64_t d, int8_t* to, int64_t step, float* scale) {
  Lanes top{}, spoiled{};  // NaN where anything is infinite or NaN: all of the head then is
  for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes value = load_first(x + i, n);
    top = max(top, max(value, -value)), spoiled = spoiled + value * 0.0f;
  });
  const float most = largest(top), inverse = most > 1e-30f ? 127.0f / most : 0.0f;
  *scale = (most > 1e-30f ? most / 127.0f : 0.0f) + sum(spoiled);
  constexpr float kRound = 12582912.0f;  // 1.5 · 2²³: adding it rounds to an integer, to nearest even
  for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    float whole[kLanes];
    // NaN becomes a number here; the scale has it.
    const Lanes within = min(max(load_first(x + i, n) * inverse, broadcast(-127.0f)), broadcast(127.0f));
    store(whole, within + kRound - kRound);
    for (int64_t lane = 0; lane < n; ++lane) to[(i + lane) * step] = int8_t(whole[lane]);
  });
}

template <class T>
void put_rows_as(Threads& threads, const Tensor& x_NGD, const std::vector<int64_t>& rows_N, const KvRows& kv) {
  const int64_t heads = x_NGD.shape()[1], d = x_NGD.shape()[2];
  const bool is_turned = kv.order == KvOrder::turned_pages;
  const float* x = x_NGD.data<float>();
  T* to = kv.rows_RGD.data<T>();
  float* scales = kv.scales_RG.is_empty() ? nullptr : kv.scales_RG.data<float>();
  // What is turned touches a line for each element.
  threads.parallel_for(x_NGD.rows(), rows_per_chunk(heads * d * (is_turned ? 16 : 1)), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      for (int64_t head = 0; head < heads; ++head) {
        const int64_t at = kv.place(rows_N[size_t(n)], head), lane = rows_N[size_t(n)] % kKeyPage;
        put_head(x + (n * heads + head) * d, d, to + (is_turned ? (at - lane) * d + lane : at * d),
                 is_turned ? kKeyPage : 1, scales == nullptr ? nullptr : scales + at);
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
