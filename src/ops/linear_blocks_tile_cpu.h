// The register tile of linear over blocks: some rows by the 32 outputs of a panel, over all its units. It takes levels
// apart in registers, which costs little beside the products even of one row, so that no unpacked copy exists.
#include "ops/linear_blocks_run_cpu.h"
#include "ops/linear_blocks_sum_cpu.h"

namespace {

// So many rows by two vectors of outputs, whose sums stay in registers.
inline constexpr int64_t kVectors = 2;

// Sums are [row][vector]: a broadcast serves the vectors beside each other.
template <WeightType kType, size_t kSums, int kFirstGroup, size_t... Group, size_t... I>
FUDE_INLINE void add_groups(LevelSum<kType> (&sums)[kSums], const std::byte* unit, int64_t lane, const float* rows,
                            std::index_sequence<Group...>, std::index_sequence<I...>) {
  using Sum = LevelSum<kType>;
  constexpr int64_t R = int64_t(kSums) / kVectors, kStride = UnitLayout<kType>::kIsWide ? 2 * R : R;
  const auto add = [&]<int kStep>(std::integral_constant<int, kStep>) FUDE_INLINE_BODY {
    constexpr int kGroup = kFirstGroup + kStep;
    const typename Sum::Levels levels[kVectors] = {
        typename Sum::Levels(load_levels<kType, kGroup>(unit, lane)),
        typename Sum::Levels(load_levels<kType, kGroup>(unit, lane + kPartLanes))};
    const float* q = rows + kGroup * kStride;
    (sums[I].template add<kStep, int(sizeof...(Group))>(levels[I % kVectors], q + I / kVectors, R), ...);
  };
  (add(std::integral_constant<int, int(Group)>()), ...);
}

// Results are array elements with constant indices only, which g++ 12 keeps in registers if they fit.
template <WeightType kType, size_t... I, size_t... Pair>
FUDE_INLINE void run_block_tile(const BlockTile& t, std::index_sequence<I...> sums_sequence,
                                std::index_sequence<Pair...>) {
  using Layout = UnitLayout<kType>;
  constexpr BlockShape kShape = Layout::kShape;
  constexpr int64_t R = int64_t(sizeof...(I)) / kVectors, kUnits = kShape.columns() / kUnitColumns;
  constexpr int kGroups = 8 / kShape.scales;
  Part results[sizeof...(Pair)][sizeof...(I)];
  const auto for_results = [&](auto use) FUDE_INLINE_BODY {
    const auto of_pair = [&]<size_t kPair>(std::integral_constant<size_t, kPair>) FUDE_INLINE_BODY {
      (use(results[kPair][I], int64_t(I) / kVectors, (int64_t(kPair) * kVectors + int64_t(I) % kVectors) * kPartLanes),
       ...);
    };
    (of_pair(std::integral_constant<size_t, Pair>()), ...);
  };
  for_results([&](Part& y, int64_t, int64_t lane) FUDE_INLINE_BODY { y = t.bias ? load_part(t.bias + lane) : Part{}; });
  const std::byte* unit = t.panel;
  SuperUnits super;
  const float* rows = t.rows;
  const std::byte* ahead = t.ahead;
  for (int64_t u = 0; u < t.units; ++u, unit += kShape.unit(), rows += Layout::kWords * R) {
    if (kShape.is_super && u % kUnits == 0) super.read(unit, kShape.has_low), unit += kShape.header();
    for (int64_t i = 0; i < t.ahead_of_unit; i += 64) __builtin_prefetch(ahead + i);
    ahead += t.ahead_of_unit;
    const auto add_pair = [&]<size_t kPair>(std::integral_constant<size_t, kPair>) FUDE_INLINE_BODY {
      constexpr int64_t lane = int64_t(kPair) * kVectors * kPartLanes;
      Part(&y)[sizeof...(I)] = results[kPair];
      const float* q = reload(rows);
      const auto add_scale = [&]<int kScale>(std::integral_constant<int, kScale>) FUDE_INLINE_BODY {
        LevelSum<kType> sums[sizeof...(I)];
        if constexpr (Layout::kMiddle != 0)
          (sums[I].begin(q[(Layout::kSums + kScale) * R + int64_t(I) / kVectors]), ...);
        add_groups<kType, sizeof...(I), kScale * kGroups>(sums, unit, lane, q,
                                                          std::make_index_sequence<size_t(kGroups)>(), sums_sequence);
        const Part scales[kVectors] = {load_scale<kType, kScale>(super, unit, lane),
                                       load_scale<kType, kScale>(super, unit, lane + kPartLanes)};
        Part lows[kVectors] = {};
        if constexpr (kShape.has_low)
          lows[0] = load_low<kType>(super, unit, lane), lows[1] = load_low<kType>(super, unit, lane + kPartLanes);
        const auto finish = [&]<size_t kSum>(std::integral_constant<size_t, kSum>) FUDE_INLINE_BODY {
          constexpr int64_t kRow = int64_t(kSum) / kVectors, kVector = int64_t(kSum) % kVectors;
          const Part scale = scales[kVector] * fill_part(q[(Layout::kLow - 1) * R + kRow]);
          y[kSum] = fma(__builtin_convertvector(sums[kSum].total, Part), scale, y[kSum]);
          if constexpr (kShape.has_low) y[kSum] = fma(lows[kVector], fill_part(q[Layout::kLow * R + kRow]), y[kSum]);
        };
        (finish(std::integral_constant<size_t, I>()), ...);
      };
      add_scale(std::integral_constant<int, 0>());
      if constexpr (kShape.scales == 2) add_scale(std::integral_constant<int, 1>());
    };
    (add_pair(std::integral_constant<size_t, Pair>()), ...);
  }
  for_results([&](const Part& y, int64_t row, int64_t lane)
                  FUDE_INLINE_BODY { store_part(t.results + row * t.result_stride + lane, y); });
}

using BlockTileFunction = void (*)(const BlockTile&);
template <WeightType kType, size_t R>
void block_tile(const BlockTile& t) {
  run_block_tile<kType>(t, std::make_index_sequence<R * size_t(kVectors)>(),
                        std::make_index_sequence<size_t(kPanel / (kVectors * kPartLanes))>());
}
template <WeightType kType, size_t... R>
constexpr auto make_block_tiles(std::index_sequence<R...>) {
  return std::array<BlockTileFunction, sizeof...(R)>{&block_tile<kType, R + 1>...};
}
template <WeightType kType>
inline constexpr auto kBlockTiles = make_block_tiles<kType>(std::make_index_sequence<size_t(kBlockTileRows)>());

}  // namespace
