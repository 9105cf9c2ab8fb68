// A weight that keeps the format of its file, decoded for dX: some columns of some panels at a time, as f32 panels. The
// numbers are those of Parameter::get_rows, bit for bit, so that dX has the bits it has with an f32 weight; and no f32
// copy of the weight exists.
#include "ops/linear_blocks_levels_cpu.h"

namespace {

// Columns [32 unit, 32 unit + 32) of a panel in blocks.
template <WeightType kType>
void decode_unit(const std::byte* panel, int64_t unit, float* to) {
  constexpr BlockShape kShape = block_shape(kType);
  constexpr int64_t kUnits = kShape.columns() / kUnitColumns;
  const std::byte* block = panel + unit / kUnits * kShape.bytes();
  const std::byte* at = block + kShape.header() + unit % kUnits * kShape.unit();
  SuperUnits super;
  if (kShape.is_super) super.read(block, kShape.has_low);
  for (int64_t lane = 0; lane < kPanel; lane += kPartLanes) {
    Part low{};
    if constexpr (kShape.has_low) low = load_low<kType>(super, at, lane);
    const auto decode_group = [&]<int kGroup>(std::integral_constant<int, kGroup>) FUDE_INLINE_BODY {
      const Part scale = load_scale<kType, kGroup * kShape.scales / 8>(super, at, lane);
      const UintPart levels = load_levels<kType, kGroup>(at, lane);
      for (int64_t i = 0; i < 4; ++i) {
        const IntPart level = kShape.bits == 8 ? (IntPart)(levels << (24 - 8 * i)) >> 24
                                               : (IntPart)(levels >> (8 * i) & 0xFFu) - kShape.middle;
        Part value = __builtin_convertvector(level, Part) * scale;
        if constexpr (kShape.has_low) value = value + low;
        store_part(to + (4 * kGroup + i) * kPanel + lane, value);
      }
    };
    [&]<int... kGroup>(std::integer_sequence<int, kGroup...>) FUDE_INLINE_BODY {
      (decode_group(std::integral_constant<int, kGroup>()), ...);
    }
    (std::make_integer_sequence<int, 8>());
  }
}

// Columns [first, first + count) of a panel, [k][32]. In blocks both are
// multiples of 32.
void decode_columns(const Parameter& w, int64_t panel, int64_t first, int64_t count, float* to) {
  if (w.is_in_halves()) {
    const int64_t at = (panel * w.cols() + first) * kPanel;
    return w.packed().type() == DType::f16 ? widen_columns(w.packed().data<Float16>() + at, count, to)
                                           : widen_columns(w.packed().data<BFloat16>() + at, count, to);
  }
  for (const PanelRun& run : w.runs()) {
    if (panel >= run.first_panel + run.panels) continue;
    const std::byte* from = w.packed().data<std::byte>() + run.offset + (panel - run.first_panel) * run.panel_bytes;
    return with_block_type(run.format->type, [&](auto type) {
      for (int64_t k = 0; k < count; k += kUnitColumns)
        decode_unit<type()>(from, (first + k) / kUnitColumns, to + k * kPanel);
    });
  }
}

}  // namespace
