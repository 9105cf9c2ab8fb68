// The layouts of attention's tiles: scores, outputs and all three gradients are products (product_tile_cpu.h) whose
// lanes are keys, which have been turned then, or elements of a head.
#include "ops/product_tile_cpu.h"

namespace {

// Turns up to kTileLanes keys of d elements so that keys are lanes, to[i · to_stride + key]; lanes behind the last key
// are zero.
inline void turn_keys(const float* keys, int64_t stride, int64_t count, int64_t d, float* to,
                      int64_t to_stride = kTileLanes) {
  int64_t done = 0;
#if FUDE_TIER_LEVEL >= 1
  for (; done + 8 <= count; done += 8) {
    const float* from = keys + done * stride;
    // Rows 0 to 3 in the lower halves, 4 to 7 in the upper: then four columns at a time are turned within halves.
    int64_t i = 0;
    for (; i + 4 <= d; i += 4) {
      const auto pair = [&](int64_t key) FUDE_INLINE_BODY {
        const __m128 low = _mm_loadu_ps(from + key * stride + i), high = _mm_loadu_ps(from + (key + 4) * stride + i);
        return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
      };
      const __m256 r0 = pair(0), r1 = pair(1), r2 = pair(2), r3 = pair(3);
      const __m256 a0 = _mm256_unpacklo_ps(r0, r1), a1 = _mm256_unpackhi_ps(r0, r1);
      const __m256 b0 = _mm256_unpacklo_ps(r2, r3), b1 = _mm256_unpackhi_ps(r2, r3);
      float* out = to + i * to_stride + done;
      _mm256_storeu_ps(out, _mm256_shuffle_ps(a0, b0, 0x44));
      _mm256_storeu_ps(out + to_stride, _mm256_shuffle_ps(a0, b0, 0xEE));
      _mm256_storeu_ps(out + 2 * to_stride, _mm256_shuffle_ps(a1, b1, 0x44));
      _mm256_storeu_ps(out + 3 * to_stride, _mm256_shuffle_ps(a1, b1, 0xEE));
    }
    for (; i < d; ++i)
      for (int64_t key = 0; key < 8; ++key) to[i * to_stride + done + key] = from[key * stride + i];
  }
#endif
  if (done == kTileLanes) return;
  for (int64_t i = 0; i < d; ++i) {
    for (int64_t key = done; key < count; ++key) to[i * to_stride + key] = keys[key * stride + i];
    for (int64_t key = count; key < kTileLanes; ++key) to[i * to_stride + key] = 0.0f;
  }
}

// Copies rows of d elements, `stride` apart, to rows `to_stride` apart, with zeros up to a multiple of kTileLanes.
// Integers are multiplied by the row's scale, `scale_step` behind the one before.
template <class T>
inline void copy_rows(const T* from, int64_t stride, int64_t count, int64_t d, float* to, int64_t to_stride,
                      const float* scales = nullptr, int64_t scale_step = 0) {
  for (int64_t row = 0; row < count; ++row, from += stride, to += to_stride) {
    for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY {
      Lanes x = load_first(from + i, n);
      if constexpr (std::is_same_v<T, int8_t>) x = x * scales[row * scale_step];
      store_first(to + i, x, n);
    });
    std::fill(to + d, to + rounded_up(d, kTileLanes), 0.0f);
  }
}

}  // namespace
