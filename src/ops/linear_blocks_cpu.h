// Kernels of linear over blocks of integers: what is computed, and why its bits are the same everywhere,
// stands in linear_blocks.h.
//
// Rows of activations are packed as integers with their scales, tile by tile, by all threads together; then tiles run
// over the panels (linear_blocks_tile_cpu.h). One tile serves one row and a thousand. A block of packed rows fits into
// L2.
#include "ops/linear_blocks_tile_cpu.h"

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

struct BlockRun {
  const float* x;
  int64_t rows, units;
  const std::byte* panels;
  int64_t panel_count, panel_bytes;
  const float* bias;
  float* results;
  int64_t outputs, stride;  // outputs of this run
};

// Bytes between what one tile reads and what it fetches.
inline constexpr int64_t kAheadOfOne = FUDE_TIER_LEVEL >= 2 ? 8192 : 1024;

// Floats of packed rows that stay in L2, and rows in a block of them.
inline int64_t block_rows(int64_t words_of_row, int64_t tile_rows) {
  return std::max<int64_t>(1, 65536 / std::max<int64_t>(1, words_of_row * tile_rows)) * tile_rows;
}
inline int64_t block_tile_rows_of(int64_t n) {
  if (n <= kBlockTileRows) return n;
  const int64_t tiles = (n + kTileRowsOfMany - 1) / kTileRowsOfMany;
  return (n + tiles - 1) / tiles;
}

template <WeightType kType>
void multiply_run(Threads& threads, const BlockRun& run) {
  const int64_t words = run.units * UnitLayout<kType>::kWords, tile_rows = block_tile_rows_of(run.rows);
  const int64_t most_rows = block_rows(words, tile_rows), at_once = 2 * most_rows;
  for (int64_t begin_row = 0; begin_row < run.rows; begin_row += at_once) {
    const int64_t size = std::min(at_once, run.rows - begin_row), all_tiles = (size + tile_rows - 1) / tile_rows;
    float* packed = scratch(ScratchUse::rows, size * words);  // [tile][unit][words][rows]
    threads.parallel_for(all_tiles, 1, [&](int64_t begin, int64_t end) {
      for (int64_t first = begin * tile_rows; first < std::min(size, end * tile_rows); first += tile_rows) {
        const int64_t width = std::min(tile_rows, size - first);
        for (int64_t row = 0; row < width; ++row) {
          const float* x = run.x + (begin_row + first + row) * run.units * kUnitColumns;
          float* to = packed + first * words + row;
          for (int64_t unit = 0; unit < run.units; ++unit, x += kUnitColumns, to += UnitLayout<kType>::kWords * width)
            pack_unit<kType>(x, width, to);
        }
      }
    });
    const int64_t blocks = (size + most_rows - 1) / most_rows;
    const int64_t block = (all_tiles + blocks - 1) / blocks * tile_rows;  // alike, so that the threads end together
    threads.parallel_ranges(blocks * run.panel_count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t panel = i % run.panel_count, output = panel * kPanel;
        const int64_t first_row = i / run.panel_count * block, last_row = std::min(size, first_row + block);
        const int64_t lanes = std::min(kPanel, run.outputs - output);
        const std::byte* at = run.panels + panel * run.panel_bytes;
        // The tiles of a panel fetch the next one together; one that is alone stays just ahead of itself.
        const int64_t tiles = (last_row - first_row + tile_rows - 1) / tile_rows, share = run.panel_bytes / tiles;
        const std::byte* ahead = at + (tiles == 1 ? kAheadOfOne : run.panel_bytes);
        for (int64_t row = first_row; row < last_row; row += tile_rows, ahead += share) {
          const int64_t rows = std::min(tile_rows, last_row - row);
          float* results = run.results + (begin_row + row) * run.stride + output;
          BlockTile tile{packed + row * words, at,    run.units,        run.bias ? run.bias + output : nullptr, results,
                         run.stride,           ahead, share / run.units};
          if (lanes == kPanel) {
            kBlockTiles<kType>[size_t(rows - 1)](tile);
            continue;
          }
          float narrow[kBlockTileRows * kPanel], bias[kPanel] = {};
          if (tile.bias) std::copy_n(tile.bias, lanes, bias), tile.bias = bias;
          tile.results = narrow, tile.result_stride = kPanel;
          kBlockTiles<kType>[size_t(rows - 1)](tile);
          for (int64_t r = 0; r < rows; ++r) std::copy_n(narrow + r * kPanel, lanes, results + r * run.stride);
        }
      }
    });
  }
}

inline void linear_blocks(Threads& threads, const Tensor& x_NK, const Parameter& w, const Parameter* bias,
                          Tensor& y_NO) {
  if (x_NK.rows() == 0) return;
  for (const PanelRun& run : w.runs()) {
    const int64_t first = run.first_panel * kPanel;
    const BlockRun work{x_NK.data<float>(),
                        x_NK.rows(),
                        w.cols() / kUnitColumns,
                        w.packed().data<std::byte>() + run.offset,
                        run.panels,
                        run.panel_bytes,
                        bias ? bias->values().data<float>() + first : nullptr,
                        y_NO.data<float>() + first,
                        std::min(run.panels * kPanel, w.rows() - first),
                        w.rows()};
    with_block_type(run.format->type, [&](auto type) { multiply_run<type()>(threads, work); });
  }
}

}  // namespace

void fill_linear_blocks(Kernels& kernels) { kernels.linear_blocks = linear_blocks; }
