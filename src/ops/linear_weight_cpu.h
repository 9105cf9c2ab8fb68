// How linear reads a weight in each format: as lanes for forward, as rows of words for dX. f32 panels are
// read where they lie; bf16 panels are read there too by the dot product's forward. A weight in 16 bits is read in
// place by one or two tiles, which widen it as they load it, and widened (for a dot product's dX regrouped) a part at a
// time before several. For dX a weight that keeps its file's format, blocks too, is decoded a stretch of columns at a
// time.
#include "ops/linear_decode_cpu.h"

// The panels in memory.
template <class Element>
struct WeightPanels {
  const Element* elements;
  int64_t depth;
  explicit WeightPanels(const Parameter& w) : elements(w.packed().data<Element>()), depth(w.cols()) {}

  const Element* at(int64_t panel, int64_t column) const { return elements + (panel * depth + column) * kPanel; }
  // For requests ahead of time: where a column lies, and in how many lines so many columns of a panel.
  const char* place(int64_t panel, int64_t column) const { return reinterpret_cast<const char*>(at(panel, column)); }
  int64_t lines_of(int64_t columns) const { return columns * kPanel * int64_t(sizeof(Element)) / 64; }
};

// lanes: words [count][32] of a panel, from word `first` of its chains on; as Lane if in place.
// columns: `count` columns of `panels` panels as words of rows (Columns), the panels' runs `run_stride` apart.
template <class Format>
struct WeightReader;

template <>
struct WeightReader<F32Words> : WeightPanels<float> {
  using WeightPanels::WeightPanels;
  using Columns = InPanel;
  using Lane = float;
  const void* lanes(int64_t panel, int64_t first, int64_t, bool) const { return at(panel, first); }
  const float* columns(int64_t panel, int64_t, int64_t column, int64_t, int64_t& run_stride) const {
    run_stride = depth * kPanel;
    return at(panel, column);
  }
};

// Forward alone.
template <class Half>
struct WeightReader<WidenedWords<Half>> : WeightPanels<Half> {
  using WeightPanels<Half>::WeightPanels;
  using Lane = Half;
  const void* lanes(int64_t panel, int64_t first, int64_t count, bool is_in_place) const {
    const Half* from = this->at(panel, first);
    if (is_in_place) return from;
    float* to = scratch(ScratchUse::lanes, count * kPanel);
    widen_columns(from, count, to);
    return to;
  }
};

// dX alone. A stretch of columns serves several tiles; the reader is that of one thread.
template <>
struct WeightReader<DecodedWords> {
  using Columns = InPanel;
  static constexpr int64_t kStretch = 4 * kUnitColumns;
  const Parameter& weight;
  int64_t panel_ = -1, first_ = 0, end_ = 0;  // what is decoded
  explicit WeightReader(const Parameter& w) : weight(w) {}

  const char* place(int64_t, int64_t) const { return nullptr; }
  int64_t lines_of(int64_t) const { return 0; }
  const float* columns(int64_t panel, int64_t panels, int64_t column, int64_t count, int64_t& run_stride) {
    run_stride = kStretch * kPanel;
    float* to = scratch(ScratchUse::rows, panels * run_stride);
    if (panel != panel_ || column < first_ || column + count > end_) {
      panel_ = panel, first_ = column / kUnitColumns * kUnitColumns;
      end_ = std::min(weight.cols(), first_ + kStretch);
      for (int64_t p = 0; p < panels; ++p)
        decode_columns(weight, panel + p, first_, end_ - first_, to + p * run_stride);
    }
    return to + (column - first_) * kPanel;
  }
};

template <>
struct WeightReader<RoundedWords> : WeightPanels<BFloat16> {
  using WeightPanels::WeightPanels;
  using Columns = InPanel;
  using Lane = Bf16Pair;
  const void* lanes(int64_t panel, int64_t first, int64_t count, bool is_in_place) const {
    if (is_in_place) return at(panel, first);
    float* to = scratch(ScratchUse::lanes, count * kPanel);
    widen_panel(at(panel, 0), first, count, to);
    return to;
  }
  const float* columns(int64_t panel, int64_t panels, int64_t column, int64_t count, int64_t& run_stride) const {
    run_stride = count * kPanel;
    float* to = scratch(ScratchUse::rows, panels * run_stride);
    for (int64_t p = 0; p < panels; ++p) widen_panel(at(panel + p, 0), column, count, to + p * run_stride);
    return to;
  }
};

#if FUDE_TIER_LEVEL >= 4
template <>
struct WeightReader<PairWords> : WeightPanels<BFloat16> {
  using WeightPanels::WeightPanels;
  using Columns = PairsInPanel;
  using Lane = float;
  const void* lanes(int64_t panel, int64_t first, int64_t, bool) const { return at(panel, 2 * first); }
  const float* columns(int64_t panel, int64_t panels, int64_t column, int64_t count, int64_t& run_stride) const {
    run_stride = count * kPanel / 2;
    float* to = scratch(ScratchUse::rows, panels * run_stride);
    for (int64_t p = 0; p < panels; ++p) pair_features(at(panel + p, 0), column, count, to + p * run_stride);
    return to;
  }
};
#endif
