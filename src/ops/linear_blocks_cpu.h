// Kernels of linear over blocks of integers (tensor/block_panels.h), for inference.
//
// A row's activations become integers too, 32 at a time: x ≈ a · q with a = max |x| / 127 and q from -127 to 127. Then
//
//   y[n,o] = bias[o] + Σ over units of 32 columns:  (Σ (level - middle) · q) · (scale[o] · a[n]) + low[o] · (a[n] · Σ
//   q)
//
// The sums of integers are exact with whatever instruction; those of f32 are one chain over the units, which bias
// begins (Q6_K: two links a unit, one for each scale). So all tiers, any number of rows and of threads give the same
// bits. One tile serves one row and a thousand: it takes levels apart in registers, which costs little beside the
// products even of one row, so that no unpacked copy exists. A block of packed rows fits into L2.
namespace {

// What a signed or large level needs beside a product of bytes: pairs of 16 bits where there is no other instruction.
template <WeightType kType>
struct UnitLayout {
  static constexpr BlockShape kShape = block_shape(kType);
  static constexpr bool kHasDot = FUDE_TIER_LEVEL >= 3;
  static constexpr bool kIsWide = kShape.bits == 8 && !kHasDot;
  static constexpr int kMiddle = kShape.bits == 8 && kHasDot ? 128 : kShape.middle;
  // Words of a packed row and unit: q, a, a · Σ q, and middle · Σ q for each scale.
  static constexpr int64_t kLow = (kIsWide ? 16 : 8) + 1, kSums = kLow + kShape.has_low,
                           kWords = kSums + (kMiddle != 0 ? kShape.scales : 0);
};

// A tile: so many rows by two vectors of outputs, whose sums stay in registers. Few under a sanitizer, which compiles
// each for minutes; the bits are the same.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FUDE_FEW_TILES
#elif defined(__clang__)
#if __has_feature(address_sanitizer)
#define FUDE_FEW_TILES
#endif
#endif
#if defined(FUDE_FEW_TILES)
inline constexpr int64_t kBlockTileRows = 2;
#else
inline constexpr int64_t kBlockTileRows = FUDE_TIER_LEVEL >= 2 ? 8 : FUDE_TIER_LEVEL == 1 ? 4 : 2;
#endif
inline constexpr int64_t kVectors = 2;

// Opaque to the compiler, which otherwise turns chains of integer additions into trees and loads every broadcast before
// a loop, all of it through the stack.
template <class T>
FUDE_INLINE void keep_order(T& vector) {
#if FUDE_TIER_LEVEL >= 1
  asm("" : "+v"(vector));
#endif
}
FUDE_INLINE const float* reload(const float* p) {
  asm volatile("" : "+r"(p));
  return p;
}

FUDE_INLINE UintPart load_bytes(const std::byte* p) { return (UintPart)load_part(reinterpret_cast<const float*>(p)); }

FUDE_INLINE Part load_halves(const std::byte* p) {
#if FUDE_TIER_LEVEL >= 2
  return (Part)_mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif FUDE_TIER_LEVEL == 1
  return (Part)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
  Part x;
  for (int i = 0; i < kPartLanes; ++i) {
    Float16 half;
    __builtin_memcpy(&half.bits, p + 2 * i, 2);
    x[i] = float(half);
  }
  return x;
#endif
}

// Bytes as numbers. (g++ 12 converts such vectors lane by lane.)
template <class Byte>
FUDE_INLINE Part load_integers(const std::byte* p) {
  constexpr bool kIsSigned = std::is_signed_v<Byte>;
#if FUDE_TIER_LEVEL >= 2
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m512i words =
      kIsSigned ? _mm512_maskz_cvtepi8_epi32(0xFFFF, bytes) : _mm512_maskz_cvtepu8_epi32(0xFFFF, bytes);
  return __builtin_convertvector((IntPart)words, Part);
#elif FUDE_TIER_LEVEL == 1
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return __builtin_convertvector((IntPart)(kIsSigned ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes)),
                                 Part);
#else
  Part x;
  for (int i = 0; i < kPartLanes; ++i) x[i] = kIsSigned ? float(int8_t(p[i])) : float(uint8_t(p[i]));
  return x;
#endif
}

// Four columns' levels of every lane, a byte each.
template <WeightType kType, int kGroup>
FUDE_INLINE UintPart load_levels(const std::byte* unit, int64_t lane) {
  constexpr BlockShape kShape = block_shape(kType);
  constexpr int64_t kPlane = 4 * kPanel;
  const std::byte* levels = unit + kShape.levels() + 4 * lane;
  if constexpr (kShape.bits == 8) return load_bytes(levels + kGroup * kPlane);
  UintPart x = load_bytes(levels + kGroup % 4 * kPlane);
  x = (kGroup < 4 ? x : x >> 4) & 0x0F0F0F0Fu;
  const std::byte* highs = unit + kShape.highs() + 4 * lane;
  if constexpr (kShape.bits == 5) {
    const UintPart high = load_bytes(highs);
    x |= (kGroup < 4 ? high << (4 - kGroup) : high >> (kGroup - 4)) & 0x10101010u;
  } else if constexpr (kShape.bits == 6) {
    const UintPart high = load_bytes(highs + kGroup / 4 * kPlane);
    constexpr int kShift = 2 * (kGroup % 4);
    x |= (kShift < 4 ? high << (4 - kShift) : high >> (kShift - 4)) & 0x30303030u;
  }
  return x;
}

// Σ level · q of one row and a vector of outputs, four columns at a time. kStep counts the calls for one sum, of
// kSteps.
template <WeightType kType>
struct LevelSum {
  using Layout = UnitLayout<kType>;
  IntPart total;
#if FUDE_TIER_LEVEL >= 3
  struct Levels {
    IntPart x;
    explicit Levels(UintPart levels) : x((IntPart)(Layout::kShape.bits == 8 ? levels ^ 0x80808080u : levels)) {}
  };
  template <int kStep, int kSteps>
  FUDE_INLINE void add(const Levels& levels, const float* q, int64_t) {
    const IntPart from = kStep == 0 ? IntPart{} : total;
    total = (IntPart)_mm512_dpbusd_epi32((__m512i)from, (__m512i)levels.x, (__m512i)fill_part(*q));
    keep_order(total);
  }
#elif FUDE_TIER_LEVEL >= 1
  typedef int16_t ShortPart __attribute__((vector_size(sizeof(IntPart))));
  static FUDE_INLINE IntPart multiply_pairs(ShortPart a, ShortPart b) {
#if FUDE_TIER_LEVEL == 2
    return (IntPart)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#else
    return (IntPart)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#endif
  }
  static FUDE_INLINE ShortPart multiply_bytes(IntPart levels, IntPart q) {
#if FUDE_TIER_LEVEL == 2
    return (ShortPart)_mm512_maddubs_epi16((__m512i)levels, (__m512i)q);
#else
    return (ShortPart)_mm256_maddubs_epi16((__m256i)levels, (__m256i)q);
#endif
  }
  struct Levels {  // wide: columns 0 and 2, columns 1 and 3 as 16 bits
    IntPart x, odd;
    explicit Levels(UintPart levels) : x((IntPart)levels), odd{} {
      if constexpr (Layout::kIsWide)
        x = (IntPart)((ShortPart)(levels << 8) >> 8), odd = (IntPart)((ShortPart)levels >> 8);
    }
  };
  // Sums of pairs of products that 16 bits hold.
  static constexpr int kFold = 32767 / (2 * 127 * ((1 << std::min(Layout::kShape.bits, 6)) - 1));
  ShortPart some;
  template <int kStep, int kSteps>
  FUDE_INLINE void add(const Levels& levels, const float* q, int64_t next_q) {
    if constexpr (Layout::kIsWide) {
      const IntPart product = multiply_pairs((ShortPart)levels.x, (ShortPart)fill_part(q[0])) +
                              multiply_pairs((ShortPart)levels.odd, (ShortPart)fill_part(q[next_q]));
      total = kStep == 0 ? product : total + product;
      keep_order(total);
    } else {
      const ShortPart product = multiply_bytes(levels.x, (IntPart)fill_part(*q));
      some = kStep % kFold == 0 ? product : some + product;
      keep_order(some);
      if constexpr (kStep % kFold == kFold - 1 || kStep == kSteps - 1) {
        const IntPart sum = multiply_pairs(some, ShortPart{} + int16_t(1));
        total = kStep < kFold ? sum : total + sum;
      }
    }
  }
#else
  struct Levels {
    UintPart x;
    explicit Levels(UintPart levels) : x(levels) {}
  };
  template <int kStep, int kSteps>
  FUDE_INLINE void add(const Levels& levels, const float* q, int64_t next_q) {
    if (kStep == 0) total = IntPart{};
    for (int lane = 0; lane < kPartLanes; ++lane)
      for (int i = 0; i < 4; ++i) {
        const int level = int(levels.x[lane] >> (8 * i) & 255);
        if constexpr (Layout::kIsWide) {
          int16_t pair[2];
          __builtin_memcpy(pair, q + i % 2 * next_q, 4);
          total[lane] += int(int8_t(level)) * pair[i / 2];
        } else {
          total[lane] += level * reinterpret_cast<const int8_t*>(q)[i];
        }
      }
  }
#endif
};

struct BlockTile {
  const float* rows;  // packed: [unit][words][R]
  const std::byte* panel;
  int64_t units;
  const float* bias;  // 32, or null
  float* results;     // [R, 32]
  int64_t result_stride;
};

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

// The units in which the scales and lows of a K format's block count, widened once for all of it.
struct SuperUnits {
  alignas(64) float scale[kPanel], low[kPanel];

  FUDE_INLINE void read(const std::byte* header, bool has_low) {
    for (int64_t lane = 0; lane < kPanel; lane += kPartLanes) {
      store_part(scale + lane, load_halves(header + 2 * lane));
      if (has_low) store_part(low + lane, -load_halves(header + 2 * kPanel + 2 * lane));
    }
  }
};

// The scale of a unit's outputs, and its low.
template <WeightType kType, int kScale>
FUDE_INLINE Part load_scale(const SuperUnits& units, const std::byte* unit, int64_t lane) {
  constexpr BlockShape kShape = block_shape(kType);
  if constexpr (!kShape.is_super) return load_halves(unit + 2 * lane);
  using Byte = std::conditional_t<kType == WeightType::q6_k, int8_t, uint8_t>;
  return load_part(units.scale + lane) * load_integers<Byte>(unit + kScale * kPanel + lane);
}
template <WeightType kType>
FUDE_INLINE Part load_low(const SuperUnits& units, const std::byte* unit, int64_t lane) {
  constexpr BlockShape kShape = block_shape(kType);
  if constexpr (!kShape.is_super) return load_halves(unit + kShape.lows() + 2 * lane);
  return load_part(units.low + lane) * load_integers<uint8_t>(unit + kShape.lows() + lane);
}

template <WeightType kType, size_t... I>
FUDE_INLINE void run_block_tile(const BlockTile& t, std::index_sequence<I...> sums_sequence) {
  using Layout = UnitLayout<kType>;
  constexpr BlockShape kShape = Layout::kShape;
  constexpr int64_t R = int64_t(sizeof...(I)) / kVectors, kUnits = kShape.columns() / kUnitColumns;
  constexpr int kGroups = 8 / kShape.scales;
  alignas(64) float results[R * kPanel];
  for (int64_t r = 0; r < R; ++r)
    for (int64_t lane = 0; lane < kPanel; lane += kPartLanes)
      store_part(results + r * kPanel + lane, t.bias ? load_part(t.bias + lane) : Part{});
  const std::byte* unit = t.panel;
  SuperUnits super;
  const float* rows = t.rows;
  for (int64_t u = 0; u < t.units; ++u, unit += kShape.unit(), rows += Layout::kWords * R) {
    if (kShape.is_super && u % kUnits == 0) super.read(unit, kShape.has_low), unit += kShape.header();
    for (int64_t lane = 0; lane < kPanel; lane += kVectors * kPartLanes) {
      const float* q = reload(rows);
      const auto add_scale = [&]<int kScale>(std::integral_constant<int, kScale>) FUDE_INLINE_BODY {
        LevelSum<kType> sums[sizeof...(I)];
        add_groups<kType, sizeof...(I), kScale * kGroups>(sums, unit, lane, q,
                                                          std::make_index_sequence<size_t(kGroups)>(), sums_sequence);
        const Part scales[kVectors] = {load_scale<kType, kScale>(super, unit, lane),
                                       load_scale<kType, kScale>(super, unit, lane + kPartLanes)};
        Part lows[kVectors] = {};
        if constexpr (kShape.has_low)
          lows[0] = load_low<kType>(super, unit, lane), lows[1] = load_low<kType>(super, unit, lane + kPartLanes);
        const auto finish = [&]<size_t kSum>(std::integral_constant<size_t, kSum>) FUDE_INLINE_BODY {
          constexpr int64_t kRow = int64_t(kSum) / kVectors, kVector = int64_t(kSum) % kVectors;
          float* y = results + kRow * kPanel + lane + kVector * kPartLanes;
          IntPart total = sums[kSum].total;
          if constexpr (Layout::kMiddle != 0) total -= (IntPart)fill_part(q[(Layout::kSums + kScale) * R + kRow]);
          const Part scale = scales[kVector] * fill_part(q[(Layout::kLow - 1) * R + kRow]);
          Part sum = fma(__builtin_convertvector(total, Part), scale, load_part(y));
          if constexpr (kShape.has_low) sum = fma(lows[kVector], fill_part(q[Layout::kLow * R + kRow]), sum);
          store_part(y, sum);
        };
        (finish(std::integral_constant<size_t, I>()), ...);
      };
      add_scale(std::integral_constant<int, 0>());
      if constexpr (kShape.scales == 2) add_scale(std::integral_constant<int, 1>());
    }
  }
  for (int64_t r = 0; r < R; ++r)
    for (int64_t lane = 0; lane < kPanel; lane += kPartLanes)
      store_part(t.results + r * t.result_stride + lane, load_part(results + r * kPanel + lane));
}

using BlockTileFunction = void (*)(const BlockTile&);
template <WeightType kType, size_t R>
void block_tile(const BlockTile& t) {
  run_block_tile<kType>(t, std::make_index_sequence<R * size_t(kVectors)>());
}
template <WeightType kType, size_t... R>
constexpr auto make_block_tiles(std::index_sequence<R...>) {
  return std::array<BlockTileFunction, sizeof...(R)>{&block_tile<kType, R + 1>...};
}
template <WeightType kType>
inline constexpr auto kBlockTiles = make_block_tiles<kType>(std::make_index_sequence<size_t(kBlockTileRows)>());

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
  const float top = largest(max(max(x0, -x0), max(x1, -x1))), nothing_or_nan = sum(fma(x0, broadcast(0.0f), x1 * 0.0f));
  const bool is_nothing = !(top >= 1e-30f);
  const float inverse = is_nothing ? 0.0f : 127.0f / top, a = (is_nothing ? 0.0f : top / 127.0f) + nothing_or_nan;
  const Lanes r0 = x0 * inverse + kRound, r1 = x1 * inverse + kRound;
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
  const float sum0 = sum(r0 - kRound), sum1 = sum(r1 - kRound);
  if constexpr (Layout::kShape.has_low) to[Layout::kLow * width] = a * (sum0 + sum1);
  if constexpr (Layout::kMiddle != 0) {
    const auto put_sum = [&](int64_t scale, float sum) FUDE_INLINE_BODY {
      const int32_t times = Layout::kMiddle * int32_t(std::isfinite(sum) ? sum : 0.0f);
      __builtin_memcpy(to + (Layout::kSums + scale) * width, &times, 4);
    };
    put_sum(0, Layout::kShape.scales == 2 ? sum0 : sum0 + sum1);
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

// Floats of packed rows that stay in L2, and rows in a block of them.
inline int64_t block_rows(int64_t words_of_row, int64_t tile_rows) {
  return std::max<int64_t>(1, 65536 / std::max<int64_t>(1, words_of_row * tile_rows)) * tile_rows;
}
inline int64_t tile_rows_of(int64_t n) {
  const int64_t tiles = (n + kBlockTileRows - 1) / kBlockTileRows;
  return (n + tiles - 1) / tiles;
}

template <WeightType kType>
void multiply_run(Threads& threads, const BlockRun& run) {
  const int64_t words = run.units * UnitLayout<kType>::kWords, tile_rows = tile_rows_of(run.rows);
  const int64_t block = block_rows(words, tile_rows), at_once = 2 * block;
  for (int64_t begin_row = 0; begin_row < run.rows; begin_row += at_once) {
    const int64_t size = std::min(at_once, run.rows - begin_row);
    float* packed = scratch(ScratchUse::rows, size * words);  // [tile][unit][words][rows]
    threads.parallel_for(size, 4, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t first = row / tile_rows * tile_rows, width = std::min(tile_rows, size - first);
        for (int64_t unit = 0; unit < run.units; ++unit)
          pack_unit<kType>(run.x + ((begin_row + row) * run.units + unit) * kUnitColumns, width,
                           packed + first * words + unit * UnitLayout<kType>::kWords * width + row - first);
      }
    });
    const int64_t blocks = (size + block - 1) / block;
    threads.parallel_ranges(blocks * run.panel_count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t panel = i % run.panel_count, output = panel * kPanel;
        const int64_t first_row = i / run.panel_count * block, last_row = std::min(size, first_row + block);
        const int64_t lanes = std::min(kPanel, run.outputs - output);
        for (int64_t row = first_row; row < last_row; row += tile_rows) {
          const int64_t rows = std::min(tile_rows, last_row - row);
          float* results = run.results + (begin_row + row) * run.stride + output;
          BlockTile tile{packed + row * words,
                         run.panels + panel * run.panel_bytes,
                         run.units,
                         run.bias ? run.bias + output : nullptr,
                         results,
                         run.stride};
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

// Calls body with the type as a compile-time constant.
template <class Body>
inline void with_block_type(WeightType type, const Body& body) {
  const auto try_one = [&]<WeightType kType>(std::integral_constant<WeightType, kType> constant) {
    if (type == kType) body(constant);
  };
  const auto try_all = [&]<WeightType... kTypes>(std::integer_sequence<WeightType, kTypes...>) {
    (try_one(std::integral_constant<WeightType, kTypes>()), ...);
  };
  using enum WeightType;
  try_all(std::integer_sequence<WeightType, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k>());
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

inline ScratchSizes linear_blocks_scratch(int64_t n, const Parameter& w) {
  ScratchSizes sizes;
  for (const PanelRun& run : w.runs())
    with_block_type(run.format->type, [&](auto type) {
      const int64_t words = w.cols() / kUnitColumns * UnitLayout<type()>::kWords;
      sizes.ask(ScratchUse::rows, std::min(n, 2 * block_rows(words, tile_rows_of(n))) * words);
    });
  return sizes;
}

}  // namespace

void fill_linear_blocks(Kernels& kernels) {
  kernels.linear_blocks = linear_blocks;
  kernels.linear_blocks_scratch = linear_blocks_scratch;
}
