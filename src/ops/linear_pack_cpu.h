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

#if FUDE_TIER_LEVEL >= 3
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

// A quarter of four turned rows, the first n of its words.
template <class Quad>
FUDE_INLINE void put_quad(float* p, const Quad& x, int64_t n) {
  if (n >= 4) {
    __builtin_memcpy(p, &x, 16);
  } else if (n == 2) {
    __builtin_memcpy(p, &x, 8);
  } else {
    for (int64_t i = 0; i < n; ++i) p[i] = x[i];
  }
}
template <size_t... Q>
FUDE_INLINE void put_columns(const Part (&turned)[4], float* to, int64_t stride, int64_t count, int64_t n,
                             std::index_sequence<Q...>) {
  for (int64_t i = 0; i < 4; ++i)
    ((4 * int64_t(Q) + i < count ? put_quad(to + (4 * int64_t(Q) + i) * stride, quad_of<int(Q)>(turned[i]), n)
                                 : void()),
     ...);
}
inline constexpr auto kQuads = std::make_index_sequence<kPartLanes / 4>();

inline constexpr int64_t kWordsAhead = 64;  // of a row: several lines, since a dozen rows are read beside each other

// Rows of `size` numbers, `stride` apart, as words [t][width]: row r in place r of each group. Places behind
// the last row are zero.
template <class Format>
inline void pack_along(const float* rows_at, int64_t stride, int64_t rows, int64_t size, int64_t width, float* to) {
  const int64_t words = (size + Format::kPerWord - 1) / Format::kPerWord;
  // A whole line of each row at a time: rows of a round size lie in so few sets of the cache that none waits
  // there for its second half.
  for (int64_t first = 0; first < words; first += 16) {
    const int64_t last = std::min(words, first + 16);
    // The next words' place too: a store that misses the caches holds up all that follow.
    for (int64_t i = 0; i < width; ++i) __builtin_prefetch(to + (first + 16) * width + 16 * i, 1);
    for (int64_t r = 0; r < width; r += 4) {
      for (int64_t i = 0; i < 4; ++i)
        for (int64_t line = 0; line < Format::kPerWord; ++line)
          __builtin_prefetch(rows_at + (r + i) * stride + (first + kWordsAhead) * Format::kPerWord + 16 * line);
      for (int64_t t = first; t < last; t += kPartLanes) {
        const int64_t at = t * Format::kPerWord;
        Part four[4];
        for (int64_t i = 0; i < 4; ++i)
          four[i] = r + i < rows ? Format::along(rows_at + (r + i) * stride + at, size - at) : fill_part(0.0f);
        turn_quads(four);
        put_columns(four, to + t * width + r, width, words - t, width - r, kQuads);
      }
    }
  }
}

inline constexpr int64_t kRowsAhead = 8;  // of a strided read, which no hardware foresees

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
#if FUDE_TIER_LEVEL >= 3
// Columns of a panel of pairs, with pairs along the output features: [k / 2][16 pairs][2 columns][2 features].
inline void pair_features(const BFloat16* panel, int64_t first, int64_t count, float* to) {
  const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  for (int64_t i = 0; i < count * kPanel / 2; i += kPartLanes)
    _mm512_storeu_si512(to + i, _mm512_shuffle_epi8(_mm512_loadu_si512(panel + first * kPanel + 2 * i), order));
}
#endif

// Results [columns][width] turned into rows of a matrix: to[row][column], `rows` of the width; stored or added.
inline void turn_out(const float* from, int64_t width, int64_t columns, int64_t rows, float* to, int64_t stride,
                     bool add) {
  alignas(64) float turned[kPanel][16];
  for (int64_t column = 0; column < columns; column += 16) {  // a line of each row at a time
    const int64_t count = std::min<int64_t>(16, columns - column);
    for (int64_t first = 0; first < rows; first += kPanel) {
      const float* block = from + column * width + first;
      for (int64_t c = 0; c < count; c += 4)
        for (int64_t r = 0; r < kPanel; r += kPartLanes) {
          Part four[4];
          for (int64_t i = 0; i < 4; ++i)
            four[i] = c + i < count ? load_part(block + (c + i) * width + r) : fill_part(0.0f);
          turn_quads(four);
          put_columns(four, &turned[r][c], 16, kPartLanes, 4, kQuads);
        }
      for (int64_t r = 0; r < std::min(kPanel, rows - first); ++r) {
        float* row = to + (first + r) * stride + column;
        if (add) {
          for (int64_t c = 0; c < count; ++c) row[c] += turned[r][c];
        } else if (count == 16) {
          __builtin_memcpy(row, turned[r], 64);
        } else {
          std::copy_n(turned[r], count, row);
        }
      }
    }
  }
}
