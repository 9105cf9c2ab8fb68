// Packing for linear: activations and bf16 weights become the words that the register tile reads.
//
// A format says what a word is and how a register of them is made. f32: the number. bf16 on a CPU with its
// dot product: two numbers that follow each other along the chain, rounded to bf16, the first in the low
// half. bf16 elsewhere: one number, rounded to bf16 and widened again, so that the same bits come out of
// every tier without that instruction.

struct F32Words {
  using Step = MultiplyAdd;
  static constexpr int64_t kPerWord = 1;
  // The next words of a row of which `left` numbers are left; zeros behind its end.
  static FUDE_INLINE Part along(const float* row, int64_t left) { return load_part_first(row, left); }
  // One word of each of n columns: from a row, and the one below it.
  static FUDE_INLINE Part across(const float* row, const float*, int64_t n) { return load_part_first(row, n); }
};

// The words of f32 again, for a weight in 16 bits that is widened exactly.
template <class Half>
struct WidenedWords : F32Words {};
// And for one that is decoded.
struct DecodedWords : F32Words {};

struct RoundedWords {
  using Step = MultiplyAdd;
  static constexpr int64_t kPerWord = 1;
  static FUDE_INLINE Part along(const float* row, int64_t left) { return (Part)bf16_bits(load_part_first(row, left)); }
  static FUDE_INLINE Part across(const float* row, const float*, int64_t n) {
    return (Part)bf16_bits(load_part_first(row, n));
  }
};

#if FUDE_TIER_LEVEL >= 4
struct PairWords {
  using Step = DotOfPairs;
  static constexpr int64_t kPerWord = 2;
  static FUDE_INLINE Part along(const float* row, int64_t left) {
    const Part low = load_part_first(row, left), high = load_part_first(row + kPartLanes, left - kPartLanes);
    const __m512i lower = _mm512_castsi256_si512((__m256i)_mm512_cvtneps_pbh(low));
    return (Part)_mm512_inserti64x4(lower, (__m256i)_mm512_cvtneps_pbh(high), 1);
  }
  // A null second row counts as zeros.
  static FUDE_INLINE Part across(const float* row, const float* second, int64_t n) {
    const Part below = second ? load_part_first(second, n) : fill_part(0.0f);
    return (Part)((bf16_bits(load_part_first(row, n)) >> 16) | bf16_bits(below));
  }
};
using Bf16Words = PairWords;
#else
using Bf16Words = RoundedWords;
#endif

inline constexpr int64_t kWordsAhead = 128;  // of a row: several lines, since rows are read beside each other

// kRows rows of `size` numbers, `stride` apart, as words [t][width]: the first `rows` of them (or none) exist, the
// others are zero. What is packed next begins `next` behind the first.
template <class Format, int64_t kRows>
inline void pack_group(const float* rows_at, int64_t stride, int64_t rows, int64_t next, int64_t size, int64_t width,
                       float* to) {
  const int64_t words = (size + Format::kPerWord - 1) / Format::kPerWord, group = std::min(kRows, width);
  const int64_t distance = std::min(kWordsAhead, words);
  // A whole line of each row at a time: rows of a round size lie in so few sets of the cache that none waits
  // there for its second half.
  for (int64_t first = 0; first < words; first += 16) {
    const int64_t last = std::min(words, first + 16);
    const float* soon = rows_at + (first + distance) * Format::kPerWord;
    if (first + distance >= words) soon += next - words * Format::kPerWord;
    for (int64_t i = 0; i < group; ++i)
      for (int64_t line = 0; line < Format::kPerWord; ++line) __builtin_prefetch(soon + i * stride + 16 * line);
    // The next words' place too: a store that misses the caches holds up all that follow.
    for (int64_t i = 0; i < 16; ++i) __builtin_prefetch(to + (first + 16 + i) * width, 1);
    for (int64_t t = first; t < last; t += kPartLanes) {
      const int64_t at = t * Format::kPerWord;
      Part turned[kRows];
      for_each_of<kRows>([&](int64_t r) FUDE_INLINE_BODY {
        turned[r] = r < rows ? Format::along(rows_at + r * stride + at, size - at) : fill_part(0.0f);
      });
      put_turned(turned, to + t * width, width, last - t);
    }
  }
}

// Rows of `size` numbers, `stride` apart, as words [t][width]: row r in place r of each group. Places behind the last
// row are zero. `width` is 32, of which at most eight rows are read at a time, since more lines of rows of a round size
// than a set of L1 has ways push each other out; or a register's lanes and fewer: words are then stored a register at a
// time, what is too much is overwritten by the next, and `to` has room for it.
template <class Format>
inline void pack_along(const float* rows_at, int64_t stride, int64_t rows, int64_t size, int64_t width, float* to) {
  if (width <= kPartLanes)
    return pack_group<Format, kPartLanes>(rows_at, stride, rows, width * stride, size, width, to);
  constexpr int64_t kRows = std::min<int64_t>(8, kPartLanes);
  for (int64_t r = 0; r < width; r += kRows)
    pack_group<Format, kRows>(rows_at + r * stride, stride, rows - r, kRows * stride, size, width, to + r);
}

inline constexpr int64_t kRowsAhead = 16;  // of a strided read, which no hardware foresees

// `groups` runs of `width` columns, from column `first` on, of rows of numbers, each run as words [t][width],
// `group_stride` apart: word t from row t (or rows 2t and 2t+1). Columns behind the last of `columns` are zero. Words
// are stored a register at a time: what is too much is overwritten by the next, and `to` has room for it.
template <class Format, int64_t kStore>
inline void pack_across(const float* rows_at, int64_t stride, int64_t rows, int64_t first, int64_t columns,
                        int64_t width, int64_t groups, int64_t group_stride, float* to) {
  for (int64_t row = 0; row < rows; row += Format::kPerWord) {
    const float* from = rows_at + row * stride;
    const float* second = row + 1 < rows ? from + stride : nullptr;
    float* out = to + row / Format::kPerWord * width;
    for (int64_t ahead = kRowsAhead; ahead < kRowsAhead + Format::kPerWord; ++ahead)
      for (int64_t j = 0; j < groups * width; j += 16) __builtin_prefetch(from + ahead * stride + first + j);
    for (int64_t group = 0; group < groups; ++group)
      for (int64_t j = 0; j < kStore; j += kPartLanes) {
        const int64_t column = first + group * width + j;
        store_part(out + group * group_stride + j, Format::across(from + column, second ? second + column : nullptr,
                                                                  std::max<int64_t>(0, columns - column)));
      }
  }
}

// Columns [first, first + count) (both even) of a bf16 panel, [k / 2][32][2], as an f32 panel [k][32].
inline void widen_panel(const BFloat16* panel, int64_t first, int64_t count, float* to) {
  for (int64_t k = 0; k < count; k += 2)
    for (int64_t lane = 0; lane < kPanel; lane += kPartLanes) {
      UintPart pairs;
      __builtin_memcpy(&pairs, panel + (first + k) * kPanel + lane * 2, sizeof pairs);
      store_part(to + k * kPanel + lane, (Part)(pairs << 16));
      store_part(to + (k + 1) * kPanel + lane, (Part)(pairs & 0xFFFF0000u));
    }
}
// Columns of a panel in 16 bits, [k][32], as f32.
template <class Half>
inline void widen_columns(const Half* columns, int64_t count, float* to) {
  for (int64_t i = 0; i < count * kPanel; i += kPartLanes) store_part(to + i, load_part(columns + i));
}
#if FUDE_TIER_LEVEL >= 4
// Columns of a panel of pairs, with pairs along the output features: [k / 2][16 pairs][2 columns][2 features].
inline void pair_features(const BFloat16* panel, int64_t first, int64_t count, float* to) {
  const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  for (int64_t i = 0; i < count * kPanel / 2; i += kPartLanes)
    _mm512_storeu_si512(to + i, _mm512_shuffle_epi8(_mm512_loadu_si512(panel + first * kPanel + 2 * i), order));
}
#endif

// Results [columns][32] turned into rows of a matrix: to[row][column], the first `rows` of the 32; stored or added.
inline void turn_out(const float* from, int64_t columns, int64_t rows, float* to, int64_t stride, bool add) {
  for (int64_t column = 0; column < columns; column += kPartLanes)
    for (int64_t first = 0; first < rows; first += kPartLanes) {
      Part turned[kPartLanes];
      const int64_t count = std::min<int64_t>(kPartLanes, columns - column);
      for_each_of<kPartLanes>([&](int64_t c) FUDE_INLINE_BODY {
        turned[c] = c < count ? load_part(from + (column + c) * kPanel + first) : fill_part(0.0f);
      });
      float* place = to + first * stride + column;
      turn_rows(turned);
      for_each_of<kPartLanes>([&](int64_t r) FUDE_INLINE_BODY {
        if (first + r >= rows) return;
        float* at = place + r * stride;
        if (count == kPartLanes) return store_part(at, add ? load_part(at) + turned[r] : turned[r]);
        float some[kPartLanes];
        store_part(some, turned[r]);
        for (int64_t c = 0; c < count; ++c) at[c] = add ? at[c] + some[c] : some[c];
      });
    }
}
