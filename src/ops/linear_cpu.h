// Kernels of linear: forward, dX and dW are one register tile (linear_tile_cpu.h) over operands packed for it
// (linear_pack_cpu.h). Which operand is broadcast and which gives the lanes:
//
//               rows (broadcast)             lanes                         chain
//     forward   rows n of x, packed          output features, as W lies    k
//     dX        columns k of W, as W lies    rows n of dY, packed          o
//     dW        columns k of x, packed       output features of dY, packed n
//
// so an f32 weight is never copied or turned, and a bf16 one is only widened or regrouped a block at a time.
// Blocks: the packed operands of a work item fit into L2; a chain is cut every kChain words, where its
// results go to memory and come back, which keeps its order. Threads take ranges of work items, large ones
// first.
#include "ops/linear_tile_cpu.h"

#include "ops/linear_pack_cpu.h"

#include "ops/linear_weight_cpu.h"

inline constexpr int64_t kChain = 256;

template <class Step>
inline constexpr TileTable kPackedTiles = packed_tiles<Step, false>(std::make_index_sequence<kTileRows>());
template <class Step>
inline constexpr TileTable kStreamTiles = packed_tiles<Step, true>(std::make_index_sequence<kStreamRows>());

inline int64_t parts_of(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

// A stretch of work: units [first, last) of a group. Calls body(group, first, last) for the groups that a
// range covers.
template <class Body>
FUDE_INLINE void for_groups(int64_t begin, int64_t end, int64_t units, const Body& body) {
  while (begin < end) {
    const int64_t group = begin / units, first = begin % units, last = std::min(units, first + end - begin);
    body(group, first, last);
    begin += last - first;
  }
}

template <class Format>
inline void forward(Threads& threads, const Tensor& x_NK, const Parameter& w, const Parameter* bias,
                    Tensor& y_NO) {
  const int64_t n = x_NK.rows(), depth = w.cols(), outputs = w.rows(), panels = parts_of(outputs, kPanel);
  const float *x = x_NK.data<float>(), *b = bias ? bias->values().data<float>() : nullptr;
  float* y = y_NO.data<float>();
  if (n == 0) return;
  const WeightReader<Format> weight(w);
  const int64_t words = parts_of(depth, Format::kPerWord);
  // With few rows the weight comes from memory, once: whole panels, a part that stays in L1 at a time.
  const bool is_stream = n <= kPanel;
  const int64_t chain = is_stream ? words : kChain, part = is_stream ? kChain / 2 : kChain;
  const TileTable& tiles =
      is_stream ? kStreamTiles<typename Format::Step> : kPackedTiles<typename Format::Step>;
  // Each tile of a stream asks for its share of the next part (the next panel's lies behind the last).
  const int64_t part_bytes = int64_t(sizeof(*weight.elements)) * part * Format::kPerWord * kPanel;
  // Rows are spread evenly over tiles: 8 rows are two tiles of 4 rather than 6 and 2.
  const int64_t most = is_stream ? kStreamRows : kTileRows, tile_rows = parts_of(n, parts_of(n, most));
  const int64_t block_rows = 192 / kTileRows * tile_rows;
  threads.parallel_ranges(parts_of(n, block_rows) * panels, 2, [&](int64_t begin, int64_t end) {
    for_groups(begin, end, panels, [&](int64_t block, int64_t first_panel, int64_t last_panel) {
      const int64_t first_row = block * block_rows, last_row = std::min(n, first_row + block_rows);
      for (int64_t first = 0; first < words; first += chain) {
        const int64_t count = std::min(chain, words - first), at = first * Format::kPerWord;
        float* packed = scratch(ScratchUse::rows, (last_row - first_row) * count);
        for (int64_t row = first_row; row < last_row; row += tile_rows) {
          const int64_t rows = std::min(tile_rows, last_row - row);
          pack_along<Format>(x + row * depth + at, depth, rows,
                             std::min(depth - at, count * Format::kPerWord), rows,
                             packed + (row - first_row) * count);
        }
        for (int64_t panel = first_panel; panel < last_panel; ++panel)
          for (int64_t t = 0; t < count; t += part) {
            const int64_t steps = std::min(part, count - t), all = last_row - first_row;
            const float* lanes = weight.lanes(panel, first + t, steps);
            const Start start = first + t > 0 ? Start::results : b ? Start::bias : Start::zero;
            for (int64_t row = first_row; row < last_row; row += tile_rows) {
              const int64_t rows = std::min(tile_rows, last_row - row), done = row - first_row;
              if (!is_stream)
                weight.prefetch(panel + 1, at, count * Format::kPerWord, done, done + rows, all);
              float* results = y + row * outputs + panel * kPanel;
              if (row + tile_rows < last_row)
                prefetch_results(results + tile_rows * outputs, outputs, tile_rows);
              run_tile(tiles,
                       {packed + done * count + t * rows, 0, steps, lanes, b ? b + panel * kPanel : nullptr,
                        results, outputs, start,
                        reinterpret_cast<const char*>(weight.at(panel, at + (t + part) * Format::kPerWord)) +
                            part_bytes * done / all,
                        part_bytes / part / 2 * rows / all},
                       rows, std::min(kPanel, outputs - panel * kPanel));
            }
          }
      }
    });
  });
}

// dx[n,k] = Σ over o of dy[n,o] · w[o,k]
template <class Format>
inline void backward_input(Threads& threads, const Tensor& dy_NO, const Parameter& w, GradientPlace dx_NK) {
  using Columns = typename WeightReader<Format>::Columns;
  static constexpr TileTable kColumnTiles =
      panel_tiles<typename Format::Step, Columns>(std::make_index_sequence<kTileRows>());
  constexpr int64_t kBlock = 4 * kPanel, kPanels = kChain * Format::kPerWord / kPanel;
  const int64_t n = dy_NO.rows(), depth = w.cols(), outputs = w.rows(), panels = parts_of(outputs, kPanel);
  const float* dy = dy_NO.data<float>();
  float* dx = dx_NK.tensor.data<float>();
  const WeightReader<Format> weight(w);
  const int64_t tiles = parts_of(depth, kTileRows);
  threads.parallel_ranges(parts_of(n, kBlock) * tiles, 4, [&](int64_t begin, int64_t end) {
    for_groups(begin, end, tiles, [&](int64_t block, int64_t first_tile, int64_t last_tile) {
      const int64_t first_row = block * kBlock, rows = std::min(kBlock, n - first_row),
                    width = parts_of(rows, kPanel) * kPanel;
      const int64_t first_column = first_tile * kTileRows,
                    columns = std::min(depth, last_tile * kTileRows) - first_column;
      float* results_KN = scratch(ScratchUse::results, columns * width);
      for (int64_t panel = 0; panel < panels; panel += kPanels) {
        const int64_t count = std::min(kPanels, panels - panel), chain = count * kPanel / Format::kPerWord;
        const int64_t first_output = panel * kPanel, size = std::min(outputs - first_output, count * kPanel);
        float* lanes = scratch(ScratchUse::lanes, width * chain);
        for (int64_t r = 0; r < rows; r += kPanel) {
          float* to = lanes + r * chain;
          pack_along<Format>(dy + (first_row + r) * outputs + first_output, outputs,
                             std::min(kPanel, rows - r), size, kPanel, to);
          std::fill(to + parts_of(size, Format::kPerWord) * kPanel, to + chain * kPanel, 0.0f);
        }
        for (int64_t tile = first_tile; tile < last_tile; ++tile) {
          const int64_t column = tile * kTileRows,
                        tile_columns = std::min<int64_t>(kTileRows, depth - column);
          int64_t run_stride;
          const float* words = weight.columns(panel, count, column, tile_columns, run_stride);
          for (int64_t r = 0; r < width; r += kPanel) {
            for (int64_t p = count * r / width; p < count * (r + kPanel) / width; ++p)
              weight.prefetch(panel + p, column + tile_columns, kTileRows, 0, 1, 1);
            run_tile(kColumnTiles,
                     {words, run_stride, chain, lanes + r * chain, nullptr,
                      results_KN + (column - first_column) * width + r, width,
                      panel > 0 ? Start::results : Start::zero},
                     tile_columns, kPanel);
          }
        }
      }
      turn_out(results_KN, width, columns, rows, dx + first_row * depth + first_column, depth, dx_NK.add);
    });
  });
}

// dw[o,k] = Σ over n of dy[n,o] · x[n,k], in w's panels.
template <class Format>
inline void backward_weight(Threads& threads, const Tensor& dy_NO, const Tensor& x_NK, GradientPlace dw) {
  constexpr int64_t kTiles = 384 / kTileRows, kPanels = 24, kRows = kChain / 2 * Format::kPerWord;
  const int64_t n = dy_NO.rows(), depth = x_NK.cols(), outputs = dy_NO.cols(),
                panels = parts_of(outputs, kPanel);
  const float *dy = dy_NO.data<float>(), *x = x_NK.data<float>();
  float* result = dw.tensor.data<float>();
  const int64_t tiles = parts_of(depth, kTileRows);
  threads.parallel_ranges(parts_of(tiles, kTiles) * panels, 6, [&](int64_t begin, int64_t end) {
    for_groups(begin, end, panels, [&](int64_t group, int64_t first, int64_t last) {
      const int64_t first_tile = group * kTiles, last_tile = std::min(tiles, first_tile + kTiles);
      for (int64_t first_panel = first; first_panel < last; first_panel += kPanels) {
        const int64_t last_panel = std::min(last, first_panel + kPanels);
        for (int64_t row = 0; row < n; row += kRows) {
          const int64_t rows = std::min(kRows, n - row), chain = parts_of(rows, Format::kPerWord);
          const int64_t row_stride = chain * kTileRows + kLanes, lane_stride = chain * kPanel + kLanes;
          float* words = scratch(ScratchUse::rows, (last_tile - first_tile) * row_stride);
          float* lanes = scratch(ScratchUse::lanes, (last_panel - first_panel) * lane_stride);
          const int64_t whole =
              std::min(last_tile, depth / kTileRows) - first_tile;  // the last tile may be narrower
          pack_across<Format, kPartLanes>(x + row * depth, depth, rows, first_tile * kTileRows, depth, kTileRows,
                                      whole, row_stride, words);
          if (first_tile + whole < last_tile)
            pack_across<Format, kPartLanes>(x + row * depth, depth, rows, (last_tile - 1) * kTileRows, depth,
                                        depth % kTileRows, 1, row_stride, words + whole * row_stride);
          pack_across<Format, kPanel>(dy + row * outputs, outputs, rows, first_panel * kPanel, outputs,
                                      kPanel, last_panel - first_panel, lane_stride, lanes);
          const Start start = row > 0 || dw.add ? Start::results : Start::zero;
          for (int64_t panel = first_panel; panel < last_panel; ++panel)
            for (int64_t tile = first_tile; tile < last_tile; ++tile) {
              if (start == Start::results)
                prefetch_results(result + (panel * depth + (tile + 1) * kTileRows) * kPanel, kPanel,
                                 kTileRows);
              run_tile(kPackedTiles<typename Format::Step>,
                       {words + (tile - first_tile) * row_stride, 0, chain,
                        lanes + (panel - first_panel) * lane_stride, nullptr,
                        result + (panel * depth + tile * kTileRows) * kPanel, kPanel, start},
                       std::min<int64_t>(kTileRows, depth - tile * kTileRows), kPanel);
            }
        }
      }
    });
  });
}

inline void linear(Threads& threads, const Tensor& x_NK, const Parameter& w, const Parameter* bias,
                   Tensor& y_NO) {
  w.compute() == DType::bf16 ? forward<Bf16Words>(threads, x_NK, w, bias, y_NO)
                             : forward<F32Words>(threads, x_NK, w, bias, y_NO);
}

inline void linear_backward_input(Threads& threads, const Tensor& dy_NO, const Parameter& w,
                                  GradientPlace dx_NK) {
  w.compute() == DType::bf16 ? backward_input<Bf16Words>(threads, dy_NO, w, dx_NK)
                             : backward_input<F32Words>(threads, dy_NO, w, dx_NK);
}

inline void linear_backward_weight(Threads& threads, const Tensor& dy_NO, const Tensor& x_NK, DType compute,
                                   GradientPlace dw) {
  compute == DType::bf16 ? backward_weight<Bf16Words>(threads, dy_NO, x_NK, dw)
                         : backward_weight<F32Words>(threads, dy_NO, x_NK, dw);
}

inline void linear_backward_bias(Threads& threads, const Tensor& dy_NO, GradientPlace db) {
  const int64_t n = dy_NO.rows(), outputs = dy_NO.cols();
  const float* dy = dy_NO.data<float>();
  float* result = db.tensor.data<float>();
  threads.parallel_for(outputs, 256, [&](int64_t begin, int64_t end) {
    if (!db.add) std::fill(result + begin, result + end, 0.0f);
    for (int64_t row = 0; row < n; ++row)
      for (int64_t o = begin; o < end; ++o) result[o] += dy[row * outputs + o];
  });
}

void fill_linear(Kernels& kernels) {
  kernels.linear = linear;
  kernels.linear_backward_input = linear_backward_input;
  kernels.linear_backward_weight = linear_backward_weight;
  kernels.linear_backward_bias = linear_backward_bias;
}
