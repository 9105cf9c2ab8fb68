// Kernels of gated_mlp.
#include "ops/activation_cpu.h"
#include "ops/linear_blocks_run_cpu.h"

namespace {

static_assert(kPanel == kUnitColumns, "a panel of g and u is a unit of activations");

template <Lanes (*kActivation)(Lanes)>
inline void gated_mlp(Threads& threads, const Tensor& x_NC, const Parameter& up_2FC, const Parameter& down_CF,
                      Tensor& y_NC) {
  const BlockPanels up(up_2FC, up_2FC.runs()[0]), down(down_CF, down_CF.runs()[0]);
  const int64_t n = x_NC.rows(), tile_rows = BlockRows::tile_rows_of(n), units = down.units;
  const int64_t at_once = 2 * std::max(block_rows(up, tile_rows), block_rows(down, tile_rows));
  for (int64_t first = 0; first < n; first += at_once) {
    const BlockRows rows{std::min(at_once, n - first), tile_rows};
    float* packed_x = scratch(ScratchUse::rows, rows.count * up.words_of_row());
    float* packed = scratch(ScratchUse::results, rows.count * down.words_of_row());
    pack_rows(threads, up, rows, x_NC.data<float>() + first * x_NC.cols(), packed_x);
    for_tiles(threads, up, units, rows, packed_x, [&](int64_t unit, int64_t row, int64_t count, const auto& tile_of) {
      alignas(64) float gates[kBlockTileRows * kPanel], values[kBlockTileRows * kPanel];
      const auto multiply = [&](int64_t panel, float* results) {
        BlockTile tile = tile_of(panel);
        tile.results = results, tile.result_stride = kPanel;
        up.kernels.tiles[count - 1](tile);
      };
      multiply(unit, gates), multiply(units + unit, values);
      for (int64_t i = 0; i < count * kPanel; i += kLanes)
        store(values + i, kActivation(load(gates + i)) * load(values + i));
      down.kernels.pack(values, kPanel, 1, count,
                        packed + row * down.words_of_row() + unit * down.kernels.words * count);
    });
    multiply_packed(threads, down, rows, packed, nullptr, down_CF.rows(), y_NC.data<float>() + first * y_NC.cols(),
                    y_NC.cols());
  }
}

}  // namespace

void fill_gated_mlp(Kernels& kernels) {
  kernels.silu_gated_mlp = gated_mlp<silu>;
  kernels.gelu_gated_mlp = gated_mlp<gelu>;
}
