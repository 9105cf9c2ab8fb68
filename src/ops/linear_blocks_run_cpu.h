// Products over blocks: rows are packed, tile by tile, by all threads together; then tiles run over the panels. One
// tile serves one row and a thousand. A block of packed rows fits into L2.
//
// A format is known by its kernels alone, which linear_blocks_cpu.h has compiled: what combines products (gated_mlp)
// runs the same ones.
#pragma once

// A tile: some rows by the 32 outputs of a panel.
struct BlockTile {
  const float* rows;  // packed: [unit][words][R]
  const std::byte* panel;
  int64_t units;
  const float* bias;  // 32, or null
  float* results;     // [R, 32]
  int64_t result_stride;
  // What is asked of memory meanwhile, and how much of it with each unit: hardware prefetching falls behind.
  const std::byte* ahead;
  int64_t ahead_of_unit;
};

// Of many rows a tile takes as many as leave registers for the results too; few rows are one tile if they can be,
// which reads the panel once. Few rows under a sanitizer, which compiles each for minutes; the bits are the same.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FUDE_FEW_TILES
#elif defined(__clang__)
#if __has_feature(address_sanitizer)
#define FUDE_FEW_TILES
#endif
#endif
#if defined(FUDE_FEW_TILES)
inline constexpr int64_t kBlockTileRows = 2, kTileRowsOfMany = 2;
#else
inline constexpr int64_t kBlockTileRows = FUDE_TIER_LEVEL >= 2   ? 8
                                          : FUDE_TIER_LEVEL == 1 ? 4
                                                                 : 2,
                         kTileRowsOfMany = FUDE_TIER_LEVEL >= 2 ? 6 : kBlockTileRows;
#endif

struct BlockKernels {
  int64_t words;                           // of a packed row and unit
  void (*const* tiles)(const BlockTile&);  // of 1 to kBlockTileRows rows
  // Packs so many units of a tile's rows, which lie `stride` apart.
  void (*pack)(const float* x, int64_t stride, int64_t units, int64_t rows, float* to);
};
BlockKernels block_kernels_of(WeightType type);

namespace {

// Bytes between what one tile reads and what it fetches.
inline constexpr int64_t kAheadOfOne = FUDE_TIER_LEVEL >= 2 ? 8192 : 1024;

// Panels of one format.
struct BlockPanels {
  BlockKernels kernels;
  const std::byte* panels;
  int64_t panel_bytes, count, units;

  BlockPanels(const Parameter& w, const PanelRun& run)
      : kernels(block_kernels_of(run.format->type)),
        panels(w.packed().data<std::byte>() + run.offset),
        panel_bytes(run.panel_bytes),
        count(run.panels),
        units(w.cols() / kUnitColumns) {}
  int64_t words_of_row() const { return units * kernels.words; }
};

// Rows that fall into tiles.
struct BlockRows {
  int64_t count, tile_rows;

  int64_t tiles() const { return (count + tile_rows - 1) / tile_rows; }
  static int64_t tile_rows_of(int64_t n) {
    if (n <= kBlockTileRows) return n;
    const int64_t tiles = (n + kTileRowsOfMany - 1) / kTileRowsOfMany;
    return (n + tiles - 1) / tiles;
  }
};

// Rows, in whole tiles, whose packed words stay in L2.
inline int64_t block_rows(const BlockPanels& w, int64_t tile_rows) {
  return std::max<int64_t>(1, 65536 / std::max<int64_t>(1, w.words_of_row() * tile_rows)) * tile_rows;
}

inline void pack_rows(Threads& threads, const BlockPanels& w, const BlockRows& rows, const float* x, float* packed) {
  threads.parallel_for(rows.tiles(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin * rows.tile_rows; first < std::min(rows.count, end * rows.tile_rows);
         first += rows.tile_rows) {
      const int64_t columns = w.units * kUnitColumns;
      w.kernels.pack(x + first * columns, columns, w.units, std::min(rows.tile_rows, rows.count - first),
                     packed + first * w.words_of_row());
    }
  });
}

// Calls body(panel, row, count, tile_of) for every tile of rows and each of the first `panels` panels; tile_of(panel)
// is that of these rows and a panel, but for its results and bias.
template <class Body>
void for_tiles(Threads& threads, const BlockPanels& w, int64_t panels, const BlockRows& rows, const float* packed,
               const Body& body) {
  const int64_t most_rows = block_rows(w, rows.tile_rows), blocks = (rows.count + most_rows - 1) / most_rows;
  const int64_t block = (rows.tiles() + blocks - 1) / blocks * rows.tile_rows;  // alike: the threads end together
  const bool asks = rows.count > 1 || !foresees_streams();
  threads.parallel_ranges(blocks * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / panels * block, last = std::min(rows.count, first + block);
      // The tiles of a panel fetch the next one together; one that is alone stays just ahead of itself, if need be.
      const int64_t tiles = (last - first + rows.tile_rows - 1) / rows.tile_rows;
      const int64_t share = asks ? w.panel_bytes / tiles : 0;
      int64_t ahead = tiles == 1 ? kAheadOfOne : w.panel_bytes;
      for (int64_t row = first; row < last; row += rows.tile_rows, ahead += share)
        body(i % panels, row, std::min(rows.tile_rows, last - row), [&](int64_t panel) {
          const std::byte* at = w.panels + panel * w.panel_bytes;
          return BlockTile{
              packed + row * w.words_of_row(), at, w.units, nullptr, nullptr, 0, at + ahead, share / w.units};
        });
    }
  });
}

// y[rows, outputs] = packed rows · panelsᵀ (+ bias), rows of y `stride` apart.
inline void multiply_packed(Threads& threads, const BlockPanels& w, const BlockRows& rows, const float* packed,
                            const float* bias, int64_t outputs, float* y, int64_t stride) {
  for_tiles(threads, w, w.count, rows, packed, [&](int64_t panel, int64_t row, int64_t count, const auto& tile_of) {
    const int64_t output = panel * kPanel, lanes = std::min(kPanel, outputs - output);
    float* results = y + row * stride + output;
    BlockTile tile = tile_of(panel);
    tile.results = results, tile.result_stride = stride;
    if (bias) tile.bias = bias + output;
    if (lanes == kPanel) return w.kernels.tiles[count - 1](tile);
    float narrow[kBlockTileRows * kPanel], narrow_bias[kPanel] = {};
    if (bias) std::copy_n(tile.bias, lanes, narrow_bias), tile.bias = narrow_bias;
    tile.results = narrow, tile.result_stride = kPanel;
    w.kernels.tiles[count - 1](tile);
    for (int64_t r = 0; r < count; ++r) std::copy_n(narrow + r * kPanel, lanes, results + r * stride);
  });
}

}  // namespace
