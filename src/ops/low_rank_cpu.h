// Kernels of low_rank. A few rows go through both matrices at once, so that what A makes of them never leaves the core,
// and what B makes of that is added where it belongs: a whole adapter is one job beside a weight.
#include "ops/product_tile_cpu.h"

namespace {

inline constexpr int64_t kStepsOfPage = 4096 / (kPanel * 4), kPagesAhead = 2;

inline void fetch(const float* from, int64_t floats, int64_t step) {
  for (int64_t i = 0; i < floats; i += step) __builtin_prefetch(from + i);
}

// As multiply of all `depth`, storing, with `count` lanes of a panel that lies in memory: a few rows wait for it at the
// beginning of every page, where the hardware's prefetching stops.
inline void multiply_panel(const Product& p, int64_t rows, int64_t count) {
  const int64_t step = count > 16 ? 16 : kPanel;
  for (int64_t t = 0; t < p.depth; t += kStepsOfPage) {
    const float* lanes = p.lanes + t * kPanel;
    fetch(lanes + kPagesAhead * kStepsOfPage * kPanel, kStepsOfPage * kPanel, step);
    multiply({p.rows + t, p.row_stride, p.step, lanes, p.lane_stride, p.results, p.result_stride,
              std::min(kStepsOfPage, p.depth - t), nullptr, t > 0},
             rows, count);
  }
}

// Rows [row, row + count) of a part.
inline void add_rows(const LowRankRows& part, const Tensor& x_NK, int64_t row, int64_t count, Tensor& y_NO) {
  const int64_t rank = part.b->cols(), padded = rounded_up(rank, kPanel), columns = part.b->rows();
  float* const kept = part.ax_NR.is_empty() ? nullptr : part.ax_NR.data<float>() + (row - part.row) * rank;
  float* ax = scratch(ScratchUse::rows, kTileRows * (padded + kPanel));
  float* const delta = ax + kTileRows * padded;
  int64_t ax_stride = padded;
  if (part.a == nullptr) {
    ax = kept, ax_stride = rank;
  } else {
    const int64_t depth = x_NK.cols();
    const float* a = part.a->packed().data<float>();
    for (int64_t r = 0; r < rank; r += kPanel)
      multiply_panel({x_NK.data<float>() + row * depth, depth, 1, a + r * depth, kPanel, ax + r, padded, depth}, count,
                     rounded_up(std::min(kPanel, rank - r), kPartLanes));
    if (kept != nullptr)
      for (int64_t n = 0; n < count; ++n) std::copy_n(ax + n * padded, rank, kept + n * rank);
  }
  const float* b = part.b->packed().data<float>();
  for (int64_t o = 0; o < columns; o += kPanel) {
    fetch(b + o * rank + kPagesAhead * kStepsOfPage * kPanel, rank * kPanel, 16);
    multiply({ax, ax_stride, 1, b + o * rank, kPanel, delta, kPanel, rank}, count, kPanel);
    for (int64_t n = 0; n < count; ++n) {
      float* to = y_NO.data<float>() + (row + n) * y_NO.cols() + part.first + o;
      for_lanes(0, std::min(kPanel, columns - o), [&](int64_t i, auto lanes) FUDE_INLINE_BODY {
        store_first(to + i, load_first(to + i, lanes) + load_first(delta + n * kPanel + i, lanes) * part.scale, lanes);
      });
    }
  }
}

inline void add_low_rank(Threads& threads, const Tensor& x_NK, const std::vector<LowRankRows>& parts, Tensor& y_NO) {
  struct Item {
    const LowRankRows* part;
    int64_t row, count;
  };
  std::vector<Item> items;
  double work = 0;
  for (const LowRankRows& part : parts) {
    const int64_t tile = std::min(kTileRows, (part.count + threads.count() - 1) / threads.count());
    for (int64_t row = 0; row < part.count; row += tile)
      items.push_back({&part, part.row + row, std::min(tile, part.count - row)});
    const int64_t depth = part.a == nullptr ? 0 : x_NK.cols();
    work += double(part.count * rounded_up(part.b->cols(), kPanel) * (depth + part.b->rows()));
  }
  const auto grain = int64_t(32768.0 * double(items.size()) / std::max(1.0, work));
  threads.parallel_for(int64_t(items.size()), std::max<int64_t>(1, grain), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Item& item = items[size_t(i)];
      add_rows(*item.part, x_NK, item.row, item.count, y_NO);
    }
  });
}

// The gradient of the scaled product: those columns of y's, scaled.
inline void take_scaled(Threads& threads, const Tensor& dy_NO, float scale, int64_t first, Tensor& ddelta_NS) {
  const int64_t columns = ddelta_NS.cols(), stride = dy_NO.cols();
  const float* dy = dy_NO.data<float>() + first;
  float* ddelta = ddelta_NS.data<float>();
  threads.parallel_for(ddelta_NS.rows(), std::max<int64_t>(1, 16384 / columns), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      for_lanes(0, columns, [&](int64_t i, auto count) FUDE_INLINE_BODY {
        store_first(ddelta + n * columns + i, load_first(dy + n * stride + i, count) * scale, count);
      });
  });
}

}  // namespace

void fill_low_rank(Kernels& kernels) {
  kernels.add_low_rank = add_low_rank;
  kernels.take_scaled = take_scaled;
}
