// One register of a tier, as linear uses it: kWidth words of 32 bits. A tile and a copy want single
// registers, where simd.h's sixteen lanes are for arithmetic that must not see the width.
using Vector = Part;
inline constexpr int kWidth = int(kPartLanes);

#if FUDE_TIER_LEVEL >= 2
inline constexpr int kTileRows = 12, kStreamRows = 8;
// Words are copied, never added to: a pair of bf16 is no f32.
FUDE_INLINE Vector vector_set(float x) { return _mm512_set1_ps(x); }
FUDE_INLINE Vector vector_load(const float* p) { return _mm512_loadu_ps(p); }
FUDE_INLINE void vector_store(float* p, Vector x) { _mm512_storeu_ps(p, x); }
// Within each four words: a0 b0 a1 b1, a2 b2 a3 b3; the same in units of two words.
FUDE_INLINE Vector weave_low(Vector a, Vector b) { return _mm512_unpacklo_ps(a, b); }
FUDE_INLINE Vector weave_high(Vector a, Vector b) { return _mm512_unpackhi_ps(a, b); }
FUDE_INLINE Vector weave_low_pairs(Vector a, Vector b) {
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
FUDE_INLINE Vector weave_high_pairs(Vector a, Vector b) {
  return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
template <int I>
FUDE_INLINE __m128 quad_of(Vector x) {
  return _mm512_extractf32x4_ps(x, I);
}
#elif FUDE_TIER_LEVEL == 1
inline constexpr int kTileRows = 6, kStreamRows = 3;
FUDE_INLINE Vector vector_set(float x) { return _mm256_set1_ps(x); }
FUDE_INLINE Vector vector_load(const float* p) { return _mm256_loadu_ps(p); }
FUDE_INLINE void vector_store(float* p, Vector x) { _mm256_storeu_ps(p, x); }
FUDE_INLINE Vector weave_low(Vector a, Vector b) { return _mm256_unpacklo_ps(a, b); }
FUDE_INLINE Vector weave_high(Vector a, Vector b) { return _mm256_unpackhi_ps(a, b); }
FUDE_INLINE Vector weave_low_pairs(Vector a, Vector b) {
  return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
FUDE_INLINE Vector weave_high_pairs(Vector a, Vector b) {
  return _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
template <int I>
FUDE_INLINE __m128 quad_of(Vector x) {
  return I == 0 ? _mm256_castps256_ps128(x) : _mm256_extractf128_ps(x, 1);
}
#else
inline constexpr int kTileRows = 4, kStreamRows = 1;
FUDE_INLINE Vector vector_set(float x) { return Vector{x, x, x, x}; }
FUDE_INLINE Vector vector_load(const float* p) { return Vector{p[0], p[1], p[2], p[3]}; }
FUDE_INLINE void vector_store(float* p, Vector x) { __builtin_memcpy(p, &x, 16); }
FUDE_INLINE Vector weave_low(Vector a, Vector b) { return Vector{a[0], b[0], a[1], b[1]}; }
FUDE_INLINE Vector weave_high(Vector a, Vector b) { return Vector{a[2], b[2], a[3], b[3]}; }
FUDE_INLINE Vector weave_low_pairs(Vector a, Vector b) { return Vector{a[0], a[1], b[0], b[1]}; }
FUDE_INLINE Vector weave_high_pairs(Vector a, Vector b) { return Vector{a[2], a[3], b[2], b[3]}; }
template <int>
FUDE_INLINE Vector quad_of(Vector x) {
  return x;
}
#endif

// The first n of kWidth; the others are zero, and memory behind them is not touched.
FUDE_INLINE Vector vector_load_first(const float* p, int64_t n) {
  if (n >= kWidth) [[likely]]
    return vector_load(p);
  float all[kWidth] = {};
  for (int64_t i = 0; i < n; ++i) all[i] = p[i];
  return vector_load(all);
}

// Four registers, rows of four words in each quarter, become columns: quarter q of a[i] holds word 4q+i of
// all four.
FUDE_INLINE void turn_quads(Vector (&a)[4]) {
  const Vector low01 = weave_low(a[0], a[1]), high01 = weave_high(a[0], a[1]);
  const Vector low23 = weave_low(a[2], a[3]), high23 = weave_high(a[2], a[3]);
  a[0] = weave_low_pairs(low01, low23), a[1] = weave_high_pairs(low01, low23);
  a[2] = weave_low_pairs(high01, high23), a[3] = weave_high_pairs(high01, high23);
}
