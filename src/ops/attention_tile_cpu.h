// The register tile of attention, and the layouts it reads. Scores, outputs and all three gradients are products
//
//     result[r][lane] = Σ over t of rows[r · row_stride + t · step] · lanes[t · lane_stride + lane]
//
// each result one chain of fused multiply-adds over t, whatever the number of rows. Lanes are keys (then the
// keys have been turned) or elements of a head. The accumulators are array elements with constant indices
// only (fold expressions): in a loop g++ 12 keeps them on the stack.
namespace {

// Accumulators that leave registers for the lanes and a broadcast.
inline constexpr int kAccumulators = FUDE_TIER_LEVEL >= 2 ? 24 : FUDE_TIER_LEVEL == 1 ? 12 : 8;
inline constexpr int64_t kTileRows = kAccumulators / 2, kTileLanes = 2 * kPartLanes;

inline int64_t rounded_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

struct Product {
  const float* rows;
  int64_t row_stride, step;
  const float* lanes;
  int64_t lane_stride;
  float* results;
  int64_t result_stride;
  int64_t depth;
  const int64_t* depths = nullptr;  // of each row, ascending, if they may differ; depth is then the first
  bool add = false;                 // to the results that are there; the chain goes on
};

template <int R, int V, size_t... I, size_t... J>
FUDE_INLINE void run_tile(const Product& p, std::index_sequence<I...>, std::index_sequence<J...>) {
  Part acc[R * V];
  if (p.add) {
    ((acc[I] = load_part(p.results + int64_t(I / V) * p.result_stride + int64_t(I % V) * kPartLanes)), ...);
  } else {
    ((acc[I] = Part{}), ...);
  }
  const float *a = p.rows, *b = p.lanes;
  const int64_t row_stride = p.row_stride, step = p.step, lane_stride = p.lane_stride;
  for (int64_t t = p.depth; t > 0; --t) {
    const Part lanes[V] = {load_part(b + int64_t(J) * kPartLanes)...};
    ((acc[I] = fma(fill_part(a[int64_t(I / V) * row_stride]), lanes[I % V], acc[I])), ...);
    a += step, b += lane_stride;
  }
  if (p.depths != nullptr)
    for (int64_t t = p.depth; t < p.depths[R - 1]; ++t) {
      const Part lanes[V] = {load_part(b + int64_t(J) * kPartLanes)...};
      ((acc[I] = t < p.depths[I / V] ? fma(fill_part(a[int64_t(I / V) * row_stride]), lanes[I % V], acc[I]) : acc[I]),
       ...);
      a += step, b += lane_stride;
    }
  ((store_part(p.results + int64_t(I / V) * p.result_stride + int64_t(I % V) * kPartLanes, acc[I])), ...);
}

template <int R, int V>
void tile_of(const Product& p) {
  run_tile<R, V>(p, std::make_index_sequence<size_t(R * V)>(), std::make_index_sequence<size_t(V)>());
}

// [rows - 1][0, 1, 2]: two, four, eight vectors wide, or null where those do not fit into the registers. Few
// rows need the width: their chains would otherwise wait for themselves.
using TileFunction = void (*)(const Product&);
struct TileTable {
  TileFunction of[kTileRows][3];
};
template <int R, int V>
constexpr TileFunction tile_if_it_fits() {
  if constexpr (R * V <= kAccumulators)
    return &tile_of<R, V>;
  else
    return nullptr;
}
template <size_t... R>
constexpr TileTable make_tiles(std::index_sequence<R...>) {
  return {{{&tile_of<int(R) + 1, 2>, tile_if_it_fits<int(R) + 1, 4>(), tile_if_it_fits<int(R) + 1, 8>()}...}};
}
inline constexpr TileTable kTiles = make_tiles(std::make_index_sequence<size_t(kTileRows)>());

// `rows` rows (at most kTileRows) of `count` lanes, a multiple of kTileLanes.
inline void multiply(Product p, int64_t rows, int64_t count) {
  const auto& tiles = kTiles.of[rows - 1];
  int64_t vectors;
  for (int64_t left = count / kPartLanes; left > 0; left -= vectors) {
    const int wide = left >= 8 && tiles[2] ? 2 : left >= 4 && tiles[1] ? 1 : 0;
    vectors = int64_t(2) << wide;
    tiles[wide](p);
    p.lanes += vectors * kPartLanes, p.results += vectors * kPartLanes;
  }
}

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
template <class T>
inline void copy_rows(const T* from, int64_t stride, int64_t count, int64_t d, float* to, int64_t to_stride) {
  for (int64_t row = 0; row < count; ++row, from += stride, to += to_stride) {
    for_lanes(0, d, [&](int64_t i, auto n) FUDE_INLINE_BODY { store_first(to + i, load_first(from + i, n), n); });
    std::fill(to + d, to + rounded_up(d, kTileLanes), 0.0f);
  }
}

}  // namespace
