// Kernels of linear: forward, dX and dW are one register tile (linear_tile_cpu.h) over operands packed for it
// (linear_pack_cpu.h). Which operand is broadcast and which gives the lanes:
//
//               rows (broadcast)             lanes                         chain
//     forward   rows n of x, packed          output features, as W lies    k
//     dX        columns k of W, as W lies    rows n of dY, packed          o
//     dW        columns k of x, packed       output features of dY, packed n
//
// so an f32 weight is never copied or turned, and another is only widened, regrouped or decoded a block at a time.
// A thread packs for itself, a block of rows that fits into its L2: what another packed would have to come from the
// other's cache, which may be on another chip (forward of 2048 rows lost a fifth of its speed to that). Only dW's rows,
// which every thread reads, are packed by all together. A block is as tall as L2 allows, since every block reads the
// weight again; a chain is cut where the block's buffer ends: its results go to memory and come back, which keeps
// their order.
#include "ops/linear_tile_cpu.h"

#include "ops/linear_pack_cpu.h"

#include "ops/linear_weight_cpu.h"

// Of a panel that is read once, for few rows.
inline constexpr int64_t kStreamPart = 128;
// Rows of a block of forward, multiples of every tier's tile: at most, and at least if threads can share otherwise.
inline constexpr int64_t kBlockRows = 288, kFewBlockRows = 96;
// Words of a block that stay in L2.
inline constexpr int64_t kBlockWords = kBlockRows * (FUDE_TIER_LEVEL >= 2 ? 384 : 256);
inline constexpr int64_t kLongestChain = 768;
// Words of a block that are kept with all their chains, beside what passes through L2.
inline constexpr int64_t kKeptWords = 1 << 17;
// Words of dW's chains, and panels of output features that a thread packs at a time for it.
inline constexpr int64_t kWeightChain = FUDE_TIER_LEVEL >= 2 ? 512 : 256, kPanelsAtOnce = 16;

template <class Step>
inline constexpr TileTable kPackedTiles =
    packed_tiles<Step, TileUse::cached, float>(std::make_index_sequence<kTileRows>());
template <class Step, TileUse kUse, class Lane = float>
inline constexpr TileTable kStreamTiles = packed_tiles<Step, kUse, Lane>(std::make_index_sequence<kStreamRows>());

inline int64_t parts_of(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

// How a product's rows are cut, so that each thread packs rows of its own: into blocks of equal height, four for each
// thread unless they would be low, and no more than L2 holds.
struct RowBlocks {
  int64_t n, unit, units, count;
  int64_t ranges;  // of a block, which are claimed by one at least
  RowBlocks(int threads, int64_t n, int64_t unit) : n(n), unit(unit), units(parts_of(n, unit)) {
    count = std::max(parts_of(units, kBlockRows / unit), std::min<int64_t>(4 * threads, n / kFewBlockRows));
    ranges = parts_of((n <= kPanel ? 8 : 4) * threads, count);
  }
  int64_t first_row(int64_t block) const { return std::min(n, units * block / count * unit); }
  int64_t most_rows() const { return parts_of(units, count) * unit; }
  // Words of a chain that a block can hold.
  int64_t chain() const { return std::min(kLongestChain, kBlockWords / most_rows()) / 32 * 32; }
  // Words of a row that are kept packed: all chains of it, for the thread's next range of the block, or one.
  int64_t kept(int64_t words) const { return words * most_rows() <= kKeptWords ? words : std::min(words, chain()); }
  // Of so many panels, or tiles of columns, of a block: those that are claimed at a time, at least.
  int64_t least_of(int64_t all) const { return std::max<int64_t>(1, all / ranges); }
};

// What of a block lies packed in a thread's buffer: the first so many words of its rows, or only the chain that ends
// there.
struct PackedWords {
  int64_t block = -1, words = 0;
  bool keeps;
  // Whether the chain that ends there is still to be packed; the caller then does it.
  bool takes(int64_t of_block, int64_t end) {
    if (block == of_block && (keeps ? end <= words : end == words)) return false;
    block = of_block, words = end;
    return true;
  }
};

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

// Rows are spread evenly over tiles: 8 rows are two tiles of 4 rather than 6 and 2.
inline int64_t tile_rows_of(int64_t n) {
  const int64_t most = n <= kPanel ? kStreamRows : kTileRows;
  return parts_of(n, parts_of(n, most));
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
  using Step = typename Format::Step;
  using Lane = typename WeightReader<Format>::Lane;
  const TileUse use = n <= kStreamRows ? TileUse::stream : is_stream ? TileUse::shared_stream : TileUse::cached;
  const bool is_in_place = n <= 2 * kStreamRows;  // at most two tiles
  const TileTable& tiles = use == TileUse::stream   ? kStreamTiles<Step, TileUse::stream, Lane>
                           : use == TileUse::cached ? kPackedTiles<Step>
                           : is_in_place            ? kStreamTiles<Step, TileUse::shared_stream, Lane>
                                                    : kStreamTiles<Step, TileUse::shared_stream>;
  const int64_t tile_rows = tile_rows_of(n);
  const RowBlocks blocks(threads.count(), n, tile_rows);
  const int64_t chain = is_stream ? words : blocks.chain(), part = is_stream ? kStreamPart : chain;
  const int64_t kept = is_stream ? words : blocks.kept(words);
  // Of the next part (the next panel's lies behind the last).
  const int64_t part_bytes = int64_t(sizeof(*weight.elements)) * part * Format::kPerWord * kPanel;
  threads.parallel_claims(blocks.count * panels, blocks.least_of(panels), [&](Threads::Claims& claims) {
    PackedWords done{.keeps = kept == words};
    for (int64_t begin, end; claims.next(begin, end);)
      for_groups(begin, end, panels, [&](int64_t block, int64_t first_panel, int64_t last_panel) {
        const int64_t first_row = blocks.first_row(block), last_row = blocks.first_row(block + 1),
                      all = last_row - first_row;
        float* buffer = scratch(ScratchUse::rows, blocks.most_rows() * kept + kPartLanes);  // [chain][tile][t][rows]
        for (int64_t first = 0; first < words; first += chain) {
          const int64_t count = std::min(chain, words - first), at = first * Format::kPerWord;
          float* packed = buffer + (done.keeps ? first * all : 0);
          if (done.takes(block, first + count)) {
            for (int64_t row = first_row; row < last_row; row += tile_rows) {
              const int64_t rows = std::min(tile_rows, last_row - row);
              pack_along<Format>(x + row * depth + at, depth, rows, std::min(depth - at, count * Format::kPerWord),
                                 rows, packed + (row - first_row) * count);
            }
          }
          // Before each run of a tile so many lines of the next panel are asked for.
          const int64_t runs = parts_of(count, kStepsOfRun), panel_bytes = part_bytes / part * count;
          const int64_t lines = parts_of(panel_bytes * tile_rows / all, runs * 64);
          for (int64_t panel = first_panel; panel < last_panel; ++panel) {
            const char* next_panel = reinterpret_cast<const char*>(weight.at(panel + 1, at));
            const char* panel_end = next_panel + panel_bytes;
            for (int64_t t = 0; t < count; t += part) {
              const int64_t steps = std::min(part, count - t);
              const void* lanes = weight.lanes(panel, first + t, steps, is_in_place);
              const Start start = first + t > 0 ? Start::results : b ? Start::bias : Start::zero;
              for (int64_t row = first_row; row < last_row; row += tile_rows) {
                const int64_t rows = std::min(tile_rows, last_row - row), share = row - first_row;
                float* results = y + row * outputs + panel * kPanel;
                TileArguments tile{packed + share * count + t * rows, 0,       steps,   lanes,
                                   b ? b + panel * kPanel : nullptr,  results, outputs, start};
                if (is_stream) {
                  tile.ahead = reinterpret_cast<const char*>(weight.at(panel, at + (t + part) * Format::kPerWord)) +
                               part_bytes * share / all;
                  tile.ahead_step = part_bytes / part * rows / all;
                } else {
                  tile.ahead = next_panel, tile.ahead_step = lines * 64;
                  tile.ahead_lines = next_panel < panel_end ? lines : 0;
                  next_panel += runs * lines * 64;
                  if (row + tile_rows < last_row) tile.next_results = results + tile_rows * outputs;
                }
                run_tile(tiles, tile, rows, std::min(kPanel, outputs - panel * kPanel));
              }
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
  const int64_t n = dy_NO.rows(), depth = w.cols(), outputs = w.rows(), panels = parts_of(outputs, kPanel);
  const float* dy = dy_NO.data<float>();
  float* dx = dx_NK.tensor.data<float>();
  if (n == 0) return;
  const int64_t tiles = parts_of(depth, kTileRows);
  const RowBlocks blocks(threads.count(), n, kPanel);
  const int64_t part = std::min(panels, blocks.chain() * Format::kPerWord / kPanel);  // panels of a chain
  const int64_t words = panels * kPanel / Format::kPerWord, kept = blocks.kept(words);
  threads.parallel_claims(blocks.count * tiles, blocks.least_of(tiles), [&](Threads::Claims& claims) {
    WeightReader<Format> weight(w);  // it may keep what it has decoded
    PackedWords done{.keeps = kept == words};
    for (int64_t begin, end; claims.next(begin, end);)
      for_groups(begin, end, tiles, [&](int64_t block, int64_t first_tile, int64_t last_tile) {
        const int64_t first_row = blocks.first_row(block), last_row = blocks.first_row(block + 1),
                      runs = parts_of(last_row - first_row, kPanel);
        const int64_t first_column = first_tile * kTileRows, last_column = std::min(depth, last_tile * kTileRows),
                      width = last_column - first_column;
        float* results = scratch(ScratchUse::results, blocks.most_rows() * depth);  // [run][column][32]
        float* buffer = scratch(ScratchUse::lanes, blocks.most_rows() * kept);      // [chain][run][o][32]
        for (int64_t panel = 0; panel < panels; panel += part) {
          const int64_t count = std::min(part, panels - panel), chain = count * kPanel / Format::kPerWord;
          const int64_t first = panel * kPanel / Format::kPerWord;
          float* packed = buffer + (done.keeps ? first * runs * kPanel : 0);
          if (done.takes(block, first + chain)) {
            const int64_t size = std::min(outputs - panel * kPanel, count * kPanel);
            for (int64_t run = 0; run < runs; ++run) {
              const int64_t row = first_row + run * kPanel;
              float* to = packed + run * kPanel * chain;
              pack_along<Format>(dy + row * outputs + panel * kPanel, outputs, std::min(kPanel, last_row - row), size,
                                 kPanel, to);
              std::fill(to + parts_of(size, Format::kPerWord) * kPanel, to + chain * kPanel, 0.0f);
            }
          }
          for (int64_t column = first_column; column < last_column; column += kTileRows) {
            const int64_t columns = std::min<int64_t>(kTileRows, last_column - column);
            int64_t run_stride;
            const float* row_words = weight.columns(panel, count, column, columns, run_stride);
            float* at = results + (column - first_column) * kPanel;
            for (int64_t run = 0; run < runs; ++run) {
              // The next columns, of each panel a share with each run of rows.
              const int64_t lines = weight.lines_of(kTileRows), first_line = lines * run / runs;
              run_tile(
                  kColumnTiles,
                  {row_words, run_stride, chain, packed + run * kPanel * chain, nullptr, at + run * width * kPanel,
                   kPanel, panel > 0 ? Start::results : Start::zero,
                   weight.place(panel, column + columns) + first_line * 64, weight.lines_of(depth) * 64,
                   lines * (run + 1) / runs - first_line, at + (run + 1 < runs ? (run + 1) * width : columns) * kPanel},
                  columns, kPanel);
            }
          }
        }
        for (int64_t run = 0; run < runs; ++run) {
          const int64_t row = first_row + run * kPanel;
          turn_out(results + run * width * kPanel, width, std::min(kPanel, last_row - row),
                   dx + row * depth + first_column, depth, dx_NK.add);
        }
      });
  });
}

// Of the packed operands of dW: a multiple of 4 KiB would put all of them into the same sets of L1.
inline int64_t padded_stride(int64_t chain, int64_t width) { return chain * width + kLanes; }

// dw[o,k] = Σ over n of dy[n,o] · x[n,k], in w's panels.
template <class Format>
inline void backward_weight(Threads& threads, const Tensor& dy_NO, const Tensor& x_NK, GradientPlace dw) {
  constexpr int64_t kTiles = kBlockWords / (kWeightChain * kTileRows), kRowsAtOnce = kWeightChain * Format::kPerWord;
  const int64_t n = dy_NO.rows(), depth = x_NK.cols(), outputs = dy_NO.cols(), panels = parts_of(outputs, kPanel);
  const float *dy = dy_NO.data<float>(), *x = x_NK.data<float>();
  float* result = dw.tensor.data<float>();
  const int64_t tiles = parts_of(depth, kTileRows);
  if (n == 0 && !dw.add) std::fill(result, result + dw.tensor.size(), 0.0f);
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
    threads.parallel_ranges(panels, 1, [&](int64_t begin, int64_t end) {
      for (int64_t first = begin; first < end; first += kPanelsAtOnce) {
        const int64_t count = std::min(kPanelsAtOnce, end - first);
        float* lanes = scratch(ScratchUse::lanes, std::min(panels, kPanelsAtOnce) * lane_stride);
        pack_across<Format, kPanel>(dy + row * outputs, outputs, rows, first * kPanel, outputs, kPanel, count,
                                    lane_stride, lanes);
        for (int64_t group = 0; group < tiles; group += kTiles)
          for (int64_t panel = 0; panel < count; ++panel)
            for (int64_t tile = group; tile < std::min(tiles, group + kTiles); ++tile) {
              float* results = result + ((first + panel) * depth + tile * kTileRows) * kPanel;
              run_tile(kPackedTiles<typename Format::Step>,
                       {words + tile * row_stride, 0, chain, lanes + panel * lane_stride, nullptr, results, kPanel,
                        adds ? Start::results : Start::zero, nullptr, 0, 0, results + kTileRows * kPanel},
                       std::min<int64_t>(kTileRows, depth - tile * kTileRows), kPanel);
            }
      }
    });
  }
}

template <class Format>
inline ScratchSizes scratch_sizes(int threads, bool is_caller, int64_t n, const Parameter& w) {
  const int64_t depth = w.cols(), words = parts_of(depth, Format::kPerWord), panels = parts_of(w.rows(), kPanel);
  const RowBlocks blocks(threads, n, tile_rows_of(n)), input_blocks(threads, n, kPanel);
  const int64_t chain = parts_of(std::min(n, kWeightChain * Format::kPerWord), Format::kPerWord);
  ScratchSizes sizes;
  sizes.ask(ScratchUse::rows, blocks.most_rows() * (n <= kPanel ? words : blocks.kept(words)) + kPartLanes);
  sizes.ask(ScratchUse::results, input_blocks.most_rows() * depth);
  sizes.ask(ScratchUse::lanes, input_blocks.most_rows() * input_blocks.kept(panels * kPanel / Format::kPerWord));
  if (is_caller) sizes.ask(ScratchUse::rows, parts_of(depth, kTileRows) * padded_stride(chain, kTileRows));
  sizes.ask(ScratchUse::lanes, std::min(panels, kPanelsAtOnce) * padded_stride(chain, kPanel));
  return sizes;
}

inline ScratchSizes linear_scratch(int threads, bool is_caller, int64_t n, const Parameter& w) {
  ScratchSizes sizes = w.compute() == DType::bf16 ? scratch_sizes<Bf16Words>(threads, is_caller, n, w)
                                                  : scratch_sizes<F32Words>(threads, is_caller, n, w);
  if (w.keeps_formats()) sizes.ask(ScratchUse::rows, kLongestChain * WeightReader<DecodedWords>::kStretch);
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
  // Stretches of a row so long that the hardware foresees them.
  threads.parallel_for(outputs, 384, [&](int64_t begin, int64_t end) {
    if (!db.add) std::fill(result + begin, result + end, 0.0f);
    for (int64_t row = 0; row < n; ++row)
      for_lanes(begin, end, [&](int64_t o, auto count) FUDE_INLINE_BODY {
        store_first(result + o, load_first(result + o, count) + load_first(dy + row * outputs + o, count), count);
      });
  });
}

void fill_linear(Kernels& kernels) {
  kernels.linear = linear;
  kernels.linear_backward_input = linear_backward_input;
  kernels.linear_backward_weight = linear_backward_weight;
  kernels.linear_backward_bias = linear_backward_bias;
  kernels.linear_scratch = linear_scratch;
}
