// Kernels of linear: forward, dX and dW are one register tile (linear_tile_cpu.h) over operands packed for it
// (linear_pack_cpu.h). Which operand is broadcast and which gives the lanes:
//
//               rows (broadcast)             lanes                         chain
//     forward   rows n of x, packed          output features, as W lies    k
//     dX        columns k of W, as W lies    rows n of dY, packed          o
//     dW        columns k of x, packed       output features of dY, packed n
//
// so an f32 weight is never copied or turned, and another is only widened, regrouped or decoded a block at a time.
// All threads pack a stretch of rows together, once, then take ranges of tiles of it, large ones first. A
// block of packed rows fits into L2 and is as tall as that allows, since every block reads the weight again;
// a chain is cut every kChain words, where its results go to memory and come back, which keeps its order.
#include "ops/linear_tile_cpu.h"

#include "ops/linear_pack_cpu.h"

#include "ops/linear_weight_cpu.h"

inline constexpr int64_t kChain = 256;
// Rows of a block of forward: a multiple of every tier's tile.
inline constexpr int64_t kBlockRows = 288;
// Panels of output features that the backward kernels pack at a time.
inline constexpr int64_t kPanelsAtOnce = 96;
// Rows of a block of dX, and of the stretch that is packed for all threads.
inline constexpr int64_t kInputBlock = 8 * kPanel, kInputRowsAtOnce = 2 * kInputBlock;

template <class Step>
inline constexpr TileTable kPackedTiles =
    packed_tiles<Step, TileUse::cached, float>(std::make_index_sequence<kTileRows>());
template <class Step, TileUse kUse, class Lane = float>
inline constexpr TileTable kStreamTiles = packed_tiles<Step, kUse, Lane>(std::make_index_sequence<kStreamRows>());

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
inline void forward(Threads& threads, const Tensor& x_NK, const Parameter& w, const Parameter* bias, Tensor& y_NO) {
  const int64_t n = x_NK.rows(), depth = w.cols(), outputs = w.rows(), panels = parts_of(outputs, kPanel);
  const float *x = x_NK.data<float>(), *b = bias ? bias->values().data<float>() : nullptr;
  float* y = y_NO.data<float>();
  if (n == 0) return;
  const WeightReader<Format> weight(w);
  const int64_t words = parts_of(depth, Format::kPerWord);
  // With few rows the weight comes from memory, once: whole panels, a part that stays in L1 at a time.
  const bool is_stream = n <= kPanel;
  const int64_t chain = is_stream ? words : kChain, part = is_stream ? kChain / 2 : kChain;
  using Step = typename Format::Step;
  using Lane = typename WeightReader<Format>::Lane;
  const TileUse use = n <= kStreamRows ? TileUse::stream : is_stream ? TileUse::shared_stream : TileUse::cached;
  const bool is_in_place = n <= 2 * kStreamRows;  // at most two tiles
  const TileTable& tiles = use == TileUse::stream   ? kStreamTiles<Step, TileUse::stream, Lane>
                           : use == TileUse::cached ? kPackedTiles<Step>
                           : is_in_place            ? kStreamTiles<Step, TileUse::shared_stream, Lane>
                                                    : kStreamTiles<Step, TileUse::shared_stream>;
  // Of the next part (the next panel's lies behind the last).
  const int64_t part_bytes = int64_t(sizeof(*weight.elements)) * part * Format::kPerWord * kPanel;
  // Rows are spread evenly over tiles: 8 rows are two tiles of 4 rather than 6 and 2.
  const int64_t most = is_stream ? kStreamRows : kTileRows, tile_rows = parts_of(n, parts_of(n, most));
  const int64_t block_rows = kBlockRows / kTileRows * tile_rows, rows_at_once = 2 * block_rows;
  for (int64_t begin_row = 0; begin_row < n; begin_row += rows_at_once) {
    const int64_t end_row = std::min(n, begin_row + rows_at_once), size = end_row - begin_row;
    float* packed = scratch(ScratchUse::rows, size * words);  // [cut of the chains][tile][t][rows]
    threads.parallel_for(parts_of(size, tile_rows), parts_of(kPanel, tile_rows), [&](int64_t begin, int64_t end) {
      for (int64_t done = begin * tile_rows; done < std::min(size, end * tile_rows); done += tile_rows)
        for (int64_t first = 0; first < words; first += chain) {
          const int64_t count = std::min(chain, words - first), rows = std::min(tile_rows, size - done),
                        at = first * Format::kPerWord;
          pack_along<Format>(x + (begin_row + done) * depth + at, depth, rows,
                             std::min(depth - at, count * Format::kPerWord), rows,
                             packed + first * size + done * count);
        }
    });
    threads.parallel_ranges(parts_of(size, block_rows) * panels, 2, [&](int64_t begin, int64_t end) {
      for_groups(begin, end, panels, [&](int64_t block, int64_t first_panel, int64_t last_panel) {
        const int64_t first_done = block * block_rows, last_done = std::min(size, first_done + block_rows),
                      all = last_done - first_done;
        for (int64_t first = 0; first < words; first += chain) {
          const int64_t count = std::min(chain, words - first), at = first * Format::kPerWord;
          for (int64_t panel = first_panel; panel < last_panel; ++panel)
            for (int64_t t = 0; t < count; t += part) {
              const int64_t steps = std::min(part, count - t);
              const void* lanes = weight.lanes(panel, first + t, steps, is_in_place);
              const Start start = first + t > 0 ? Start::results : b ? Start::bias : Start::zero;
              for (int64_t done = first_done; done < last_done; done += tile_rows) {
                const int64_t rows = std::min(tile_rows, last_done - done), share = done - first_done;
                if (!is_stream) weight.prefetch(panel + 1, at, count * Format::kPerWord, share, share + rows, all);
                float* results = y + (begin_row + done) * outputs + panel * kPanel;
                if (done + tile_rows < last_done) prefetch_results(results + tile_rows * outputs, outputs, tile_rows);
                run_tile(tiles,
                         {packed + first * size + done * count + t * rows, 0, steps, lanes,
                          b ? b + panel * kPanel : nullptr, results, outputs, start,
                          reinterpret_cast<const char*>(weight.at(panel, at + (t + part) * Format::kPerWord)) +
                              part_bytes * share / all,
                          part_bytes / part * rows / all},
                         rows, std::min(kPanel, outputs - panel * kPanel));
              }
            }
        }
      });
    });
  }
}

// dx[n,k] = Σ over o of dy[n,o] · w[o,k]
template <class Format>
inline void backward_input(Threads& threads, const Tensor& dy_NO, const Parameter& w, GradientPlace dx_NK) {
  using Columns = typename WeightReader<Format>::Columns;
  static constexpr TileTable kColumnTiles =
      panel_tiles<typename Format::Step, Columns>(std::make_index_sequence<kTileRows>());
  constexpr int64_t kPanels = kChain * Format::kPerWord / kPanel;
  const int64_t n = dy_NO.rows(), depth = w.cols(), outputs = w.rows(), panels = parts_of(outputs, kPanel);
  const float* dy = dy_NO.data<float>();
  float* dx = dx_NK.tensor.data<float>();
  const WeightReader<Format> reader(w);
  const int64_t tiles = parts_of(depth, kTileRows);
  for (int64_t begin_row = 0; begin_row < n; begin_row += kInputRowsAtOnce) {
    const int64_t end_row = std::min(n, begin_row + kInputRowsAtOnce), runs = parts_of(end_row - begin_row, kPanel);
    float* results_KN = scratch(ScratchUse::results, depth * runs * kPanel);  // [run][k][32]
    for (int64_t begin_panel = 0; begin_panel < panels; begin_panel += kPanelsAtOnce) {
      const int64_t end_panel = std::min(panels, begin_panel + kPanelsAtOnce),
                    words = (end_panel - begin_panel) * kPanel / Format::kPerWord;
      float* packed = scratch(ScratchUse::lanes, runs * kPanel * words);
      // [part of the outputs][run of rows][o][32]
      const int64_t parts = parts_of(end_panel - begin_panel, kPanels);
      threads.parallel_for(runs * parts, 4, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t run = i / parts, row = begin_row + run * kPanel, panel = begin_panel + i % parts * kPanels;
          const int64_t count = std::min(kPanels, end_panel - panel),
                        size = std::min(outputs - panel * kPanel, count * kPanel);
          float* to = packed + ((panel - begin_panel) * runs + run * count) * kPanel * kPanel / Format::kPerWord;
          pack_along<Format>(dy + row * outputs + panel * kPanel, outputs, std::min(kPanel, n - row), size, kPanel, to);
          std::fill(to + parts_of(size, Format::kPerWord) * kPanel, to + count * kPanel / Format::kPerWord * kPanel,
                    0.0f);
        }
      });
      const int64_t blocks = parts_of(end_row - begin_row, kInputBlock);
      threads.parallel_ranges(blocks * tiles, 4, [&](int64_t begin, int64_t end) {
        for_groups(begin, end, tiles, [&](int64_t block, int64_t begin_tile, int64_t end_tile) {
          const int64_t first_run = block * kInputBlock / kPanel,
                        last_run = std::min(runs, first_run + kInputBlock / kPanel);
          WeightReader<Format> weight = reader;  // it may keep what it has decoded
          const int64_t first_column = begin_tile * kTileRows, last_column = std::min(depth, end_tile * kTileRows);
          for (int64_t panel = begin_panel; panel < end_panel; panel += kPanels) {
            const int64_t count = std::min(kPanels, end_panel - panel), chain = count * kPanel / Format::kPerWord;
            const float* lanes = packed + (panel - begin_panel) * kPanel / Format::kPerWord * kPanel * runs;
            for (int64_t column = first_column; column < last_column; column += kTileRows) {
              const int64_t columns = std::min<int64_t>(kTileRows, last_column - column);
              int64_t run_stride;
              const float* row_words = weight.columns(panel, count, column, columns, run_stride);
              for (int64_t run = first_run; run < last_run; ++run) {
                const int64_t done = run - first_run, all = last_run - first_run;
                for (int64_t p = count * done / all; p < count * (done + 1) / all; ++p)
                  weight.prefetch(panel + p, column + columns, kTileRows, 0, 1, 1);
                prefetch_results(results_KN + (run + 1 < last_run ? (run + 1) * depth + column
                                                                  : first_run * depth + column + columns) *
                                                  kPanel,
                                 kPanel, kTileRows);
                run_tile(
                    kColumnTiles,
                    {row_words, run_stride, chain, lanes + run * kPanel * chain, nullptr,
                     results_KN + (run * depth + column) * kPanel, kPanel, panel > 0 ? Start::results : Start::zero},
                    columns, kPanel);
              }
            }
          }
          if (end_panel == panels)
            for (int64_t run = first_run; run < last_run; ++run) {
              const int64_t row = begin_row + run * kPanel;
              turn_out(results_KN + (run * depth + first_column) * kPanel, kPanel, last_column - first_column,
                       std::min(kPanel, n - row), dx + row * depth + first_column, depth, dx_NK.add);
            }
        });
      });
    }
  }
}

// Of the packed operands of dW: a multiple of 4 KiB would put all of them into the same sets of L1.
inline int64_t padded_stride(int64_t chain, int64_t width) { return chain * width + kLanes; }

// dw[o,k] = Σ over n of dy[n,o] · x[n,k], in w's panels.
template <class Format>
inline void backward_weight(Threads& threads, const Tensor& dy_NO, const Tensor& x_NK, GradientPlace dw) {
  constexpr int64_t kTiles = 252 / kTileRows, kRowsAtOnce = kChain * Format::kPerWord;
  const int64_t n = dy_NO.rows(), depth = x_NK.cols(), outputs = dy_NO.cols(), panels = parts_of(outputs, kPanel);
  const float *dy = dy_NO.data<float>(), *x = x_NK.data<float>();
  float* result = dw.tensor.data<float>();
  const int64_t tiles = parts_of(depth, kTileRows), groups = parts_of(tiles, kTiles);
  for (int64_t row = 0; row < n; row += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, n - row), chain = parts_of(rows, Format::kPerWord);
    const int64_t row_stride = padded_stride(chain, kTileRows), lane_stride = padded_stride(chain, kPanel);
    float* words = scratch(ScratchUse::rows, tiles * row_stride);
    threads.parallel_for(tiles, 16, [&](int64_t begin, int64_t end) {
      const int64_t whole = std::min(end, depth / kTileRows) - begin;  // the last tile may be narrower
      pack_across<Format, kPartLanes>(x + row * depth, depth, rows, begin * kTileRows, depth, kTileRows, whole,
                                      row_stride, words + begin * row_stride);
      if (begin + whole < end)
        pack_across<Format, kPartLanes>(x + row * depth, depth, rows, (end - 1) * kTileRows, depth, depth % kTileRows,
                                        1, row_stride, words + (end - 1) * row_stride);
    });
    const bool adds = row > 0 || dw.add;
    for (int64_t begin_panel = 0; begin_panel < panels; begin_panel += kPanelsAtOnce) {
      const int64_t count = std::min(kPanelsAtOnce, panels - begin_panel);
      float* lanes = scratch(ScratchUse::lanes, count * lane_stride);
      threads.parallel_for(count, 4, [&](int64_t begin, int64_t end) {
        pack_across<Format, kPanel>(dy + row * outputs, outputs, rows, (begin_panel + begin) * kPanel, outputs, kPanel,
                                    end - begin, lane_stride, lanes + begin * lane_stride);
      });
      threads.parallel_ranges(groups * count, 1, [&](int64_t begin, int64_t end) {
        for_groups(begin, end, count, [&](int64_t group, int64_t first, int64_t last) {
          const int64_t first_tile = group * kTiles, last_tile = std::min(tiles, first_tile + kTiles);
          for (int64_t panel = first; panel < last; ++panel)
            for (int64_t tile = first_tile; tile < last_tile; ++tile) {
              float* results = result + ((begin_panel + panel) * depth + tile * kTileRows) * kPanel;
              if (adds) prefetch_results(results + kTileRows * kPanel, kPanel, kTileRows);
              run_tile(kPackedTiles<typename Format::Step>,
                       {words + tile * row_stride, 0, chain, lanes + panel * lane_stride, nullptr, results, kPanel,
                        adds ? Start::results : Start::zero},
                       std::min<int64_t>(kTileRows, depth - tile * kTileRows), kPanel);
            }
        });
      });
    }
  }
}

template <class Format>
inline ScratchSizes scratch_sizes(int64_t n, int64_t depth, int64_t outputs) {
  const int64_t panels = std::min(parts_of(outputs, kPanel), kPanelsAtOnce);
  const int64_t runs = parts_of(std::min(n, kInputRowsAtOnce), kPanel);
  const int64_t chain = parts_of(std::min(n, kChain * Format::kPerWord), Format::kPerWord);
  ScratchSizes sizes;
  sizes.ask(ScratchUse::rows, std::min(n, 2 * kBlockRows) * parts_of(depth, Format::kPerWord));
  sizes.ask(ScratchUse::results, depth * runs * kPanel);
  sizes.ask(ScratchUse::lanes, runs * kPanel * panels * kPanel / Format::kPerWord);
  sizes.ask(ScratchUse::rows, parts_of(depth, kTileRows) * padded_stride(chain, kTileRows));
  sizes.ask(ScratchUse::lanes, panels * padded_stride(chain, kPanel));
  return sizes;
}

inline ScratchSizes linear_scratch(int64_t n, const Parameter& w) {
  ScratchSizes sizes = w.compute() == DType::bf16 ? scratch_sizes<Bf16Words>(n, w.cols(), w.rows())
                                                  : scratch_sizes<F32Words>(n, w.cols(), w.rows());
  if (w.keeps_formats()) sizes.ask(ScratchUse::rows, kChain * WeightReader<DecodedWords>::kStretch);
  return sizes;
}

inline void linear(Threads& threads, const Tensor& x_NK, const Parameter& w, const Parameter* bias, Tensor& y_NO) {
  if (w.compute() == DType::bf16) return forward<Bf16Words>(threads, x_NK, w, bias, y_NO);
  if (!w.is_in_halves()) return forward<F32Words>(threads, x_NK, w, bias, y_NO);
  w.packed().type() == DType::f16 ? forward<WidenedWords<Float16>>(threads, x_NK, w, bias, y_NO)
                                  : forward<WidenedWords<BFloat16>>(threads, x_NK, w, bias, y_NO);
}

inline void linear_backward_input(Threads& threads, const Tensor& dy_NO, const Parameter& w, GradientPlace dx_NK) {
  if (w.keeps_formats()) return backward_input<DecodedWords>(threads, dy_NO, w, dx_NK);
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
  kernels.linear_scratch = linear_scratch;
}
