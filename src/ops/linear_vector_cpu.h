// What linear needs of a register besides simd.h: the shape of a tier's tile, and words turned within quarters of a
// register. Words are copied, never added to: a pair of bf16 is no f32.

#if FUDE_TIER_LEVEL >= 2
inline constexpr int kTileRows = 12, kStreamRows = 8;
// Within each four words: a0 b0 a1 b1, a2 b2 a3 b3; the same in units of two words.
FUDE_INLINE Part weave_low(Part a, Part b) { return _mm512_unpacklo_ps(a, b); }
FUDE_INLINE Part weave_high(Part a, Part b) { return _mm512_unpackhi_ps(a, b); }
FUDE_INLINE Part weave_low_pairs(Part a, Part b) {
  return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
FUDE_INLINE Part weave_high_pairs(Part a, Part b) {
  return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
template <int I>
FUDE_INLINE __m128 quad_of(Part x) {
  return _mm512_extractf32x4_ps(x, I);
}
#elif FUDE_TIER_LEVEL == 1
inline constexpr int kTileRows = 6, kStreamRows = 3;
FUDE_INLINE Part weave_low(Part a, Part b) { return _mm256_unpacklo_ps(a, b); }
FUDE_INLINE Part weave_high(Part a, Part b) { return _mm256_unpackhi_ps(a, b); }
FUDE_INLINE Part weave_low_pairs(Part a, Part b) {
  return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
FUDE_INLINE Part weave_high_pairs(Part a, Part b) {
  return _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
template <int I>
FUDE_INLINE __m128 quad_of(Part x) {
  return I == 0 ? _mm256_castps256_ps128(x) : _mm256_extractf128_ps(x, 1);
}
#else
inline constexpr int kTileRows = 4, kStreamRows = 1;
FUDE_INLINE Part weave_low(Part a, Part b) { return Part{a[0], b[0], a[1], b[1]}; }
FUDE_INLINE Part weave_high(Part a, Part b) { return Part{a[2], b[2], a[3], b[3]}; }
FUDE_INLINE Part weave_low_pairs(Part a, Part b) { return Part{a[0], a[1], b[0], b[1]}; }
FUDE_INLINE Part weave_high_pairs(Part a, Part b) { return Part{a[2], a[3], b[2], b[3]}; }
template <int>
FUDE_INLINE Part quad_of(Part x) {
  return x;
}
#endif

// The first n of kPartLanes; the others are zero, and memory behind them is not touched.
FUDE_INLINE Part load_part_first(const float* p, int64_t n) {
  if (n >= kPartLanes) [[likely]]
    return load_part(p);
  float all[kPartLanes] = {};
  for (int64_t i = 0; i < n; ++i) all[i] = p[i];
  return load_part(all);
}

// Four registers, rows of four words in each quarter, become columns: quarter q of a[i] holds word 4q+i of all four.
FUDE_INLINE void turn_quads(Part (&a)[4]) {
  const Part low01 = weave_low(a[0], a[1]), high01 = weave_high(a[0], a[1]);
  const Part low23 = weave_low(a[2], a[3]), high23 = weave_high(a[2], a[3]);
  a[0] = weave_low_pairs(low01, low23), a[1] = weave_high_pairs(low01, low23);
  a[2] = weave_low_pairs(high01, high23), a[3] = weave_high_pairs(high01, high23);
}
