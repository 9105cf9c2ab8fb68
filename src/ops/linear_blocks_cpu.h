// Kernels of linear over blocks of integers: what is computed, and why its bits are the same everywhere,
// stands in linear_blocks.h.
#include "ops/linear_blocks_pack_cpu.h"
#include "ops/linear_blocks_tile_cpu.h"

BlockKernels block_kernels_of(WeightType type) {
  BlockKernels kernels{};
  with_block_type(type, [&](auto type) {
    kernels = {UnitLayout<type()>::kWords, kBlockTiles<type()>.data(), pack_units<type()>};
  });
  return kernels;
}

namespace {

inline void linear_blocks(Threads& threads, const Tensor& x_NK, const Parameter& w, const Parameter* bias,
                          Tensor& y_NO) {
  const int64_t n = x_NK.rows(), tile_rows = BlockRows::tile_rows_of(n);
  for (const PanelRun& run : w.runs()) {
    const BlockPanels panels(w, run);
    const int64_t output = run.first_panel * kPanel, at_once = 2 * block_rows(panels, tile_rows);
    for (int64_t row = 0; row < n; row += at_once) {
      const BlockRows rows{std::min(at_once, n - row), tile_rows};
      float* packed = scratch(ScratchUse::rows, rows.count * panels.words_of_row());
      pack_rows(threads, panels, rows, x_NK.data<float>() + row * w.cols(), packed);
      multiply_packed(threads, panels, rows, packed, bias ? bias->values().data<float>() + output : nullptr,
                      std::min(run.panels * kPanel, w.rows() - output), y_NO.data<float>() + row * w.rows() + output,
                      w.rows());
    }
  }
}

}  // namespace

void fill_linear_blocks(Kernels& kernels) { kernels.linear_blocks = linear_blocks; }
