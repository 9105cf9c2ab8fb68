// Rows of activations as the tiles over blocks take them: integers and their scales, [tile][unit][words][rows].
#include "ops/linear_blocks_run_cpu.h"
#include "ops/linear_blocks_sum_cpu.h"

namespace {

// What was rounded by adding 1.5 · 2^23, as bytes.
FUDE_INLINE void put_bytes(const Lanes& first, const Lanes& second, int8_t* to) {
  constexpr int64_t kParts = kLanes / kPartLanes;
  IntPart x[2 * kParts];
  for (int64_t i = 0; i < kParts; ++i)
    x[i] = (IntPart)first.part[i] - 0x4B400000, x[kParts + i] = (IntPart)second.part[i] - 0x4B400000;
#if FUDE_TIER_LEVEL >= 2
  for (int64_t i = 0; i < 2; ++i)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 16 * i), _mm512_maskz_cvtsepi32_epi8(0xFFFF, (__m512i)x[i]));
#elif FUDE_TIER_LEVEL == 1
  const __m256i low = _mm256_packs_epi32((__m256i)x[0], (__m256i)x[1]),
                high = _mm256_packs_epi32((__m256i)x[2], (__m256i)x[3]);
  const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), in_order));
#else
  for (int64_t i = 0; i < kUnitColumns; ++i) to[i] = int8_t(x[i / kPartLanes][i % kPartLanes]);
#endif
}

// One row's activations of a unit, into its place among `width` rows. A row with something infinite or NaN gets NaN.
template <WeightType kType>
FUDE_INLINE void pack_unit(const float* x, int64_t width, float* to) {
  using Layout = UnitLayout<kType>;
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: the sum has no digits behind the point
  const Lanes x0 = load(x), x1 = load(x + kLanes);
  const float top = largest(max(max(x0, -x0), max(x1, -x1)));
  const bool is_nothing = !(top >= 1e-30f);
  const float inverse = is_nothing ? 0.0f : 127.0f / top;
  const Lanes r0 = x0 * inverse + kRound, r1 = x1 * inverse + kRound;
  // Sums of integers: exact in any order.
  constexpr bool kHasHalves = Layout::kMiddle != 0 && Layout::kShape.scales == 2;
  const Lanes q0 = r0 - kRound, q1 = r1 - kRound;
  const float sum0 = kHasHalves ? sum(q0) : 0.0f, sum1 = kHasHalves ? sum(q1) : 0.0f;
  const float total = kHasHalves ? sum0 + sum1 : sum(q0 + q1);
  const float a = (is_nothing ? 0.0f : top / 127.0f) + total * 0.0f;  // NaN if the total is
  int8_t q[kUnitColumns];
  put_bytes(r0, r1, q);
  for (int64_t group = 0; group < 8; ++group) {
    if constexpr (Layout::kIsWide) {
      const int16_t even[2] = {q[4 * group], q[4 * group + 2]}, odd[2] = {q[4 * group + 1], q[4 * group + 3]};
      __builtin_memcpy(to + 2 * group * width, even, 4), __builtin_memcpy(to + (2 * group + 1) * width, odd, 4);
    } else {
      __builtin_memcpy(to + group * width, q + 4 * group, 4);
    }
  }
  to[(Layout::kLow - 1) * width] = a;
  if constexpr (Layout::kShape.has_low) to[Layout::kLow * width] = a * total;
  if constexpr (Layout::kMiddle != 0) {
    const auto put_sum = [&](int64_t scale, float sum) FUDE_INLINE_BODY {
      const int32_t times = -Layout::kMiddle * int32_t(std::isfinite(sum) ? sum : 0.0f);
      __builtin_memcpy(to + (Layout::kSums + scale) * width, &times, 4);
    };
    put_sum(0, kHasHalves ? sum0 : total);
    if constexpr (Layout::kShape.scales == 2) put_sum(1, sum1);
  }
}

#if FUDE_TIER_LEVEL >= 3
inline constexpr int64_t kLeastRowsAtOnce = 4, kRowsAtOnce = 8;
static_assert(kBlockTileRows <= kRowsAtOnce);
static_assert(7 * kLeastRowsAtOnce + kRowsAtOnce <= 9 * kLeastRowsAtOnce, "the last group ends before the next unit");

// The same of a tile's rows, from kLeastRowsAtOnce on, at once: what is sought across a row is sought across all of
// them together, and shuffles bring their words in order. Rows behind `width` repeat others, and what is written of
// them is written over.
template <WeightType kType>
FUDE_INLINE void pack_unit_of_rows(const float* const (&x)[kRowsAtOnce], int64_t width, float* to) {
  using Layout = UnitLayout<kType>;
  const auto bits_of = [&](int64_t row, int64_t i) FUDE_INLINE_BODY { return _mm512_loadu_si512(x[row] + i); };
  // Magnitudes compare as integers do, and what is no number is more than all that are.
  const __m512i sign = _mm512_set1_epi32(INT32_MIN);
  const auto top_of = [&](int64_t row) FUDE_INLINE_BODY {
    return _mm512_max_epu32(_mm512_andnot_si512(sign, bits_of(row, 0)), _mm512_andnot_si512(sign, bits_of(row, 16)));
  };
  const auto top_of_two = [&](int64_t row) FUDE_INLINE_BODY {  // in each four lanes: a b a b
    const __m512i a = top_of(row), b = top_of(row + 1);
    return _mm512_max_epu32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  };
  const auto top_of_four = [&](int64_t row) FUDE_INLINE_BODY {  // a b c d
    const __m512i ab = top_of_two(row), cd = top_of_two(row + 2);
    return _mm512_max_epu32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  };
  const __m512i first = top_of_four(0), second = top_of_four(4);
  __m512i tops = _mm512_max_epu32(_mm512_shuffle_i32x4(first, second, 0x88), _mm512_shuffle_i32x4(first, second, 0xDD));
  tops = _mm512_max_epu32(tops, _mm512_shuffle_i32x4(tops, tops, 0xB1));
  const __m256i top = _mm512_castsi512_si256(_mm512_shuffle_i32x4(tops, tops, 0x88));
  const __m256 magnitude = _mm256_castsi256_ps(top), most = _mm256_set1_ps(127.0f);
  const __mmask8 is_some = _mm256_cmp_ps_mask(magnitude, _mm256_set1_ps(1e-30f), _CMP_GE_OQ);
  const __mmask8 is_no_number = _mm256_cmpge_epu32_mask(top, _mm256_set1_epi32(0x7F800000));
  alignas(32) float inverse[kRowsAtOnce];
  _mm256_store_ps(inverse, _mm256_maskz_div_ps(is_some, most, magnitude));
  const __m256 a = _mm256_mask_mov_ps(_mm256_maskz_div_ps(is_some, magnitude, most), is_no_number,
                                      _mm256_set1_ps(std::numeric_limits<float>::quiet_NaN()));

  // Rounded by adding 1.5 · 2^23; the last byte is then the integer. Of a row in each four lanes: group l and group
  // 4 + l, for lanes l.
  const auto words_of = [&](int64_t row) FUDE_INLINE_BODY {
    const __m512 factor = _mm512_set1_ps(inverse[row]), round = _mm512_set1_ps(12582912.0f);
    const auto byte = [&](int64_t i) FUDE_INLINE_BODY {
      const __m512 rounded = _mm512_add_ps(_mm512_mul_ps(_mm512_castsi512_ps(bits_of(row, i)), factor), round);
      return _mm512_and_si512(_mm512_castps_si512(rounded), _mm512_set1_epi32(255));
    };
    return _mm512_packus_epi32(byte(0), byte(16));
  };
  const auto two = [&](int64_t row) FUDE_INLINE_BODY {
    return _mm512_castsi512_ps(_mm512_packus_epi16(words_of(row), words_of(row + 1)));
  };
  const __m512 rows01 = two(0), rows23 = two(2), rows45 = two(4), rows67 = two(6);
  // Writes four groups from `group` on, of rows 0 to 3 and 4 to 7; gives the sum of each row's integers.
  const auto put_groups = [&](int64_t group, __m512 low, __m512 high) FUDE_INLINE_BODY {
    __m512i sums = _mm512_setzero_si512();
    const auto put_two = [&](int64_t first, __m512i order) FUDE_INLINE_BODY {
      const __m512i words = _mm512_permutex2var_epi64(_mm512_castps_si512(low), order, _mm512_castps_si512(high));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + first * width), _mm512_castsi512_si256(words));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + (first + 1) * width), _mm512_extracti64x4_epi64(words, 1));
      sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), words);
    };
    put_two(group, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11));
    put_two(group + 2, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15));
    return _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64(sums, 1));
  };
  const __m256i sum0 = put_groups(0, _mm512_shuffle_ps(rows01, rows23, 0x88), _mm512_shuffle_ps(rows45, rows67, 0x88));
  const __m256i sum1 = put_groups(4, _mm512_shuffle_ps(rows01, rows23, 0xDD), _mm512_shuffle_ps(rows45, rows67, 0xDD));
  const __m256i total = _mm256_add_epi32(sum0, sum1);
  const auto rows = __mmask8((1 << width) - 1);
  const auto put = [&](int64_t word, __m256i x)
                       FUDE_INLINE_BODY { _mm256_mask_storeu_epi32(to + word * width, rows, x); };
  put(Layout::kLow - 1, _mm256_castps_si256(a));
  if constexpr (Layout::kShape.has_low)
    put(Layout::kLow, _mm256_castps_si256(_mm256_mul_ps(a, _mm256_cvtepi32_ps(total))));
  if constexpr (Layout::kMiddle != 0) {
    const __m256i middle = _mm256_set1_epi32(-Layout::kMiddle);
    put(Layout::kSums, _mm256_mullo_epi32(middle, Layout::kShape.scales == 2 ? sum0 : total));
    if constexpr (Layout::kShape.scales == 2) put(Layout::kSums + 1, _mm256_mullo_epi32(middle, sum1));
  }
}
#endif

// So many units of a tile's rows, which lie `stride` apart.
template <WeightType kType>
void pack_units(const float* x, int64_t stride, int64_t units, int64_t width, float* to) {
  constexpr int64_t kWords = UnitLayout<kType>::kWords;
#if FUDE_TIER_LEVEL >= 3
  if (width >= kLeastRowsAtOnce) {
    const float* rows[kRowsAtOnce];
    for (int64_t row = 0; row < kRowsAtOnce; ++row) rows[row] = x + std::min(row, width - 1) * stride;
    for (int64_t unit = 0; unit < units; ++unit, to += kWords * width) {
      pack_unit_of_rows<kType>(rows, width, to);
      for (const float*& row : rows) row += kUnitColumns;
    }
    return;
  }
#endif
  for (int64_t row = 0; row < width; ++row)
    for (int64_t unit = 0; unit < units; ++unit)
      pack_unit<kType>(x + row * stride + unit * kUnitColumns, width, to + unit * kWords * width + row);
}

}  // namespace
