// What linear needs of a register besides simd.h: the shape of a tier's tile, and rows of words turned into columns.
// Words are copied, never added to: a pair of bf16 is no f32.

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
// Quarter q of each of four registers becomes register q.
FUDE_INLINE void turn_quarters(Part& a, Part& b, Part& c, Part& d) {
  const Part even_ab = _mm512_shuffle_f32x4(a, b, 0x88), odd_ab = _mm512_shuffle_f32x4(a, b, 0xDD);
  const Part even_cd = _mm512_shuffle_f32x4(c, d, 0x88), odd_cd = _mm512_shuffle_f32x4(c, d, 0xDD);
  a = _mm512_shuffle_f32x4(even_ab, even_cd, 0x88), b = _mm512_shuffle_f32x4(odd_ab, odd_cd, 0x88);
  c = _mm512_shuffle_f32x4(even_ab, even_cd, 0xDD), d = _mm512_shuffle_f32x4(odd_ab, odd_cd, 0xDD);
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
FUDE_INLINE void turn_quarters(Part& a, Part& b) {
  const Part low = _mm256_permute2f128_ps(a, b, 0x20), high = _mm256_permute2f128_ps(a, b, 0x31);
  a = low, b = high;
}
#else
inline constexpr int kTileRows = 4, kStreamRows = 1;
FUDE_INLINE Part weave_low(Part a, Part b) { return Part{a[0], b[0], a[1], b[1]}; }
FUDE_INLINE Part weave_high(Part a, Part b) { return Part{a[2], b[2], a[3], b[3]}; }
FUDE_INLINE Part weave_low_pairs(Part a, Part b) { return Part{a[0], a[1], b[0], b[1]}; }
FUDE_INLINE Part weave_high_pairs(Part a, Part b) { return Part{a[2], a[3], b[2], b[3]}; }
FUDE_INLINE void turn_quarters(Part&) {}
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
FUDE_INLINE void turn_quads(Part& a, Part& b, Part& c, Part& d) {
  const Part low_ab = weave_low(a, b), high_ab = weave_high(a, b);
  const Part low_cd = weave_low(c, d), high_cd = weave_high(c, d);
  a = weave_low_pairs(low_ab, low_cd), b = weave_high_pairs(low_ab, low_cd);
  c = weave_low_pairs(high_ab, high_cd), d = weave_high_pairs(high_ab, high_cd);
}

// body(0) … body(kCount - 1) with constants, so that registers of an array stay registers.
template <class Body, size_t... I>
FUDE_INLINE void for_each_of(const Body& body, std::index_sequence<I...>) {
  (body(int64_t(I)), ...);
}
template <int64_t kCount, class Body>
FUDE_INLINE void for_each_of(const Body& body) {
  for_each_of(body, std::make_index_sequence<size_t(kCount)>());
}

// As many registers as they have lanes: rows become columns.
template <size_t... Q>
FUDE_INLINE void turn_rows(Part (&a)[kPartLanes], std::index_sequence<Q...>) {
  (turn_quads(a[4 * Q], a[4 * Q + 1], a[4 * Q + 2], a[4 * Q + 3]), ...);
  turn_quarters(a[4 * Q]...), turn_quarters(a[4 * Q + 1]...);
  turn_quarters(a[4 * Q + 2]...), turn_quarters(a[4 * Q + 3]...);
}
FUDE_INLINE void turn_rows(Part (&a)[kPartLanes]) { turn_rows(a, std::make_index_sequence<size_t(kPartLanes / 4)>()); }

// Rows become columns in memory: word j of all rows at to[j * stride], the first `count` of them.
FUDE_INLINE void put_turned(Part (&rows)[kPartLanes], float* to, int64_t stride, int64_t count) {
  turn_rows(rows);
  for_each_of<kPartLanes>([&](int64_t j) FUDE_INLINE_BODY {
    if (j < count) store_part(to + j * stride, rows[j]);
  });
}
#if FUDE_TIER_LEVEL >= 2
FUDE_INLINE void put_turned(Part (&rows)[8], float* to, int64_t stride, int64_t count) {
  turn_quads(rows[0], rows[1], rows[2], rows[3]), turn_quads(rows[4], rows[5], rows[6], rows[7]);
  const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11),
                second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  for_each_of<4>([&](int64_t i) FUDE_INLINE_BODY {
    const __m512d low = (__m512d)rows[i], high = (__m512d)rows[4 + i];
    const Part words[2] = {(Part)_mm512_permutex2var_pd(low, first, high),
                           (Part)_mm512_permutex2var_pd(low, second, high)};
    for_each_of<2>([&](int64_t j) FUDE_INLINE_BODY {
      float* at = to + (8 * j + i) * stride;
      if (8 * j + i < count) _mm256_storeu_ps(at, _mm512_castps512_ps256(words[j]));
      if (8 * j + 4 + i < count) _mm256_storeu_ps(at + 4 * stride, _mm512_extractf32x8_ps(words[j], 1));
    });
  });
}
#endif
