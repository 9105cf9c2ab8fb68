// The register tile of small products that read their factors where they lie (attention, adapters):
//
//     result[r][lane] = Σ over t of rows[r · row_stride + t · step] · lanes[t · lane_stride + lane]
//
// each result one chain of fused multiply-adds over t, whatever the number of rows. The accumulators are array elements
// with constant indices only (fold expressions): in a loop g++ 12 keeps them on the stack. (Large products pack both
// factors first: linear_tile_cpu.h.)
#pragma once

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
  // What is asked of memory meanwhile, and how much of it with each t.
  const std::byte* ahead = nullptr;
  int64_t ahead_of_step = 0;
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
  const std::byte* ahead = p.ahead;
  for (int64_t t = p.depth; t > 0; --t, ahead += p.ahead_of_step) {
    for (int64_t i = 0; i < p.ahead_of_step; i += 64) __builtin_prefetch(ahead + i);
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

// [rows - 1][0 to 3]: one, two, four, eight vectors wide, or null where those do not fit into the registers. Few
// rows need the width: their chains would otherwise wait for themselves.
using TileFunction = void (*)(const Product&);
struct TileTable {
  TileFunction of[kTileRows][4];
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
  return {{{&tile_of<int(R) + 1, 1>, &tile_of<int(R) + 1, 2>, tile_if_it_fits<int(R) + 1, 4>(),
            tile_if_it_fits<int(R) + 1, 8>()}...}};
}
inline constexpr TileTable kTiles = make_tiles(std::make_index_sequence<size_t(kTileRows)>());

// `rows` rows (at most kTileRows) of `count` lanes, a multiple of kPartLanes. By reference: a copy would wait for what
// was just stored.
inline void multiply(Product&& p, int64_t rows, int64_t count) {
  const auto& tiles = kTiles.of[rows - 1];
  int64_t vectors;
  for (int64_t left = count / kPartLanes; left > 0; left -= vectors) {
    const int wide = left >= 8 && tiles[3] ? 3 : left >= 4 && tiles[2] ? 2 : left >= 2 ? 1 : 0;
    vectors = int64_t(1) << wide;
    tiles[wide](p);
    p.ahead_of_step = 0;  // all is asked for
    p.lanes += vectors * kPartLanes, p.results += vectors * kPartLanes;
  }
}

}  // namespace
