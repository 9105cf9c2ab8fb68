// The register tile of linear: R rows x 32 lanes of results, one chain of multiply-adds per result.
//
//     result[r][lane] += row_word(r, t) · panel[t][lane]        t = 0 … depth-1
//
// A word is 32 bits: an f32, or a pair of bf16 that follow each other along the chain (then the chain runs
// through dot products of two). A panel of f32 may lie in 16 bits (Lane), widened as it is loaded: number by number, or
// two that follow each other along the chain at a time. Where row_word(r, t) lies is known at compile time (Packed,
// InPanel), so that every broadcast has an immediate offset. The accumulators are array elements with constant indices
// only (fold expressions): in a loop g++ 12 keeps them on the stack and the kernel runs at half speed.

#include "ops/linear_vector_cpu.h"

// What one word of rows and one of a panel add to a result.
struct MultiplyAdd {
  static FUDE_INLINE Part apply(Part a, Part b, Part c) { return fma(a, b, c); }
};
#if FUDE_TIER_LEVEL >= 4
struct DotOfPairs {
  static FUDE_INLINE Part apply(Part a, Part b, Part c) { return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b); }
};
#endif

// Where row_word(r, t) lies: packed as [t][R] ...
template <int R>
struct Packed {
  static constexpr int64_t kRun = 0;  // one run of any length
  static constexpr int64_t kStep = R;
  static constexpr int64_t offset(int r) { return r; }
};
// ... or in the panels of a weight, row = column k of the weight, t = output feature: runs of a panel's 32
// features (16 pairs), the panels `run_stride` apart.
struct InPanel {
  static constexpr int64_t kRun = kPanel, kStep = 1;
  static constexpr int64_t offset(int r) { return r * kPanel; }
};
struct PairsInPanel {  // pairs of features beside each other for two columns: [k / 2][pair][2]
  static constexpr int64_t kRun = kPanel / 2, kStep = 2;
  static constexpr int64_t offset(int r) { return r / 2 * kPanel + r % 2; }
};

// A lane of a bf16 panel that is widened: two numbers of the chain, the first in the low half.
struct Bf16Pair {
  uint32_t bits;
};
FUDE_INLINE Part load_part(const Bf16Pair* p) { return load_part(reinterpret_cast<const float*>(p)); }
FUDE_INLINE Part first_of(Part pairs) { return (Part)((UintPart)pairs << 16); }
FUDE_INLINE Part second_of(Part pairs) { return (Part)((UintPart)pairs & 0xFFFF0000u); }

// What a tile starts from: zero, one row of lanes (a bias), or the results already there.
enum class Start { zero, bias, results };

// Where the panel lies: in a cache; or in memory, and one tile reads it, at the speed of the hardware's prefetching;
// or in memory for several tiles, each of which asks for its share of the next part, since none waits for it.
enum class TileUse { cached, stream, shared_stream };

struct TileArguments {
  const float* row_words;
  int64_t run_stride;  // of runs, in words
  int64_t depth;       // in words; a multiple of the run's length
  const void* panel;   // Lane [depth, kPanel], or Bf16Pair [depth / 2, kPanel]
  const float* bias;
  float* results;
  int64_t result_stride;
  Start start;
  // What comes later is asked for a little at a time: many at once hold up the loads of the tile itself. A shared
  // stream does it in every step, `ahead_step` bytes further on: about a line, so that few are left out or asked for
  // twice.
  // Another tile does it before every run: for `ahead_lines` lines, `ahead_step` bytes further on, and for a row of the
  // next results.
  const char* ahead = nullptr;
  int64_t ahead_step = 0;
  int64_t ahead_lines = 0;
  const float* next_results = nullptr;  // as far apart as the results
};

// Steps between two requests where the rows are one run.
inline constexpr int64_t kStepsOfRun = 32;

// A stream is asked for so many bytes before it is needed, from so many rows on. AVX-512 without bf16 is Intel's: a
// core has 16 requests of L1 on their way and 48 of L2, so they go to L2, always (one row 90 -> 107 % of what plain
// loads read, two 82 -> 100, eight 52 -> 80). On others a step through a stream in 16 bits is one line, and takes as
// long as two of f32: the hardware's prefetching alone falls a quarter behind. Rows that keep the multipliers busy hide
// what L2 takes but not the places in L1 that requests hold (Zen 4: eight rows 74 -> 95 % of the limit, sixteen 85 ->
// 99, four 81 -> 68).
inline constexpr bool kIsIntel = FUDE_TIER_LEVEL == 2;
constexpr int stream_cache(int rows) { return kIsIntel || rows > 4 ? 2 : 3; }
inline constexpr int64_t kHalvesAhead = FUDE_TIER_LEVEL >= 2 ? 8192 : 2048;
// With three rows and more a step has so many instructions that those in flight reach less far ahead than memory is
// away (eight rows: 70 to 95 % of the bandwidth with requests 8 KB ahead, 70 % with 2 KB).
inline constexpr int64_t kFloatsAhead = 8192, kRowsOfFloatsAhead = kIsIntel ? 1 : 3;

template <class Step, class Words, TileUse kUse, class Lane, size_t... I, size_t... J>
FUDE_INLINE void run_lanes(const TileArguments& t, int64_t lane, std::index_sequence<I...>, std::index_sequence<J...>) {
  constexpr size_t V = sizeof...(J);
  float* const results = t.results + lane;
  const int64_t stride = t.result_stride;
  Part acc[sizeof...(I)];
  if (t.start == Start::zero) {
    ((acc[I] = fill_part(0.0f)), ...);
  } else if (t.start == Start::bias) {
    ((acc[I] = load_part(t.bias + lane + int64_t(I % V) * kPartLanes)), ...);
  } else {
    const float* from = results;
    ((acc[I] = load_part(from + int64_t(I % V) * kPartLanes), from += I % V == V - 1 ? stride : 0), ...);
  }
  const float* run = t.row_words;
  const Lane* b = static_cast<const Lane*>(t.panel) + lane;
  [[maybe_unused]] const char* ahead = t.ahead;
  [[maybe_unused]] const int64_t ahead_step = t.ahead_step;
  constexpr bool kAsks = kUse == TileUse::cached, kIsPair = std::is_same_v<Lane, Bf16Pair>;
  [[maybe_unused]] constexpr bool kIsHalf = !std::is_same_v<Lane, float>;
  constexpr int64_t kRun = Words::kRun != 0 ? Words::kRun : kAsks ? kStepsOfRun : 0;
  // A panel into L2; the next columns into L1: what dX sums up pushes them out of L2.
  [[maybe_unused]] constexpr int kCache = Words::kRun != 0 ? 3 : 2;
  [[maybe_unused]] const float* soon = t.next_results;
  [[maybe_unused]] int64_t soon_rows = soon != nullptr ? int64_t(sizeof...(I) / V) : 0;
  const float* a = run;
  for (int64_t left = t.depth; left > 0; left -= kRun) {
    if constexpr (kAsks) {
      if (soon_rows > 0) {
        __builtin_prefetch(soon, 1, 3), __builtin_prefetch(soon + 16, 1, 3);
        soon += stride, --soon_rows;
      }
      for (int64_t i = 0; i < t.ahead_lines; ++i) __builtin_prefetch(ahead + 64 * i, 0, kCache);
      ahead += ahead_step;
    }
    if constexpr (Words::kRun != 0) a = run, run += t.run_stride;
    for (int64_t k = kRun == 0 ? left : std::min(kRun, left); k > 0; --k) {
      const Part lanes[V] = {load_part(b + J * kPartLanes)...};
      if constexpr (kUse == TileUse::shared_stream) __builtin_prefetch(ahead, 0, 2), ahead += ahead_step;
      if constexpr (kUse == TileUse::stream && (kIsHalf || sizeof...(I) / V >= kRowsOfFloatsAhead))
        for (int64_t part = 0; part < int64_t(sizeof(Lane)) * kPanel; part += 64)
          __builtin_prefetch(reinterpret_cast<const char*>(b) + (kIsHalf ? kHalvesAhead : kFloatsAhead) + part, 0,
                             stream_cache(int(sizeof...(I) / V)));
      if constexpr (kIsPair) {
        ((acc[I] = Step::apply(fill_part(a[Words::offset(int(I / V))]), first_of(lanes[I % V]), acc[I])), ...);
        if constexpr (kUse == TileUse::shared_stream) __builtin_prefetch(ahead, 0, 2), ahead += ahead_step;
        a += Words::kStep, --k;
        ((acc[I] = Step::apply(fill_part(a[Words::offset(int(I / V))]), second_of(lanes[I % V]), acc[I])), ...);
      } else {
        ((acc[I] = Step::apply(fill_part(a[Words::offset(int(I / V))]), lanes[I % V], acc[I])), ...);
      }
      a += Words::kStep;
      b += kPanel;
    }
    if (kRun == 0) break;
  }
  float* to = results;
  asm("" : "+r"(to));  // otherwise g++ computes all addresses before the loop and spills them: 1 % of the time
  ((store_part(to + int64_t(I % V) * kPartLanes, acc[I]), to += I % V == V - 1 ? stride : 0), ...);
}

// All 32 lanes of R rows, as many vectors at a time as fit into the registers beside each other: wide for few rows,
// whose chains would otherwise wait for themselves. A stream's panel comes from memory, whole lines at a time.
template <class Step, class Words, int R, TileUse kUse = TileUse::cached, class Lane = float>
void tile_of(const TileArguments& t) {
  constexpr int kAll = int(kPanel) / kPartLanes, kMost = kTileRows * 2 / R;
  constexpr int V = kUse != TileUse::cached || kMost >= kAll ? kAll : kMost >= 4 ? 4 : 2;
  for (int64_t lane = 0; lane < kPanel; lane += V * kPartLanes)
    run_lanes<Step, Words, kUse, Lane>(t, lane, std::make_index_sequence<size_t(R) * V>(),
                                       std::make_index_sequence<size_t(V)>());
}

using TileFunction = void (*)(const TileArguments&);
struct TileTable {
  TileFunction of_rows[kTileRows + 1];
};
// Rows packed for exactly R rows each.
template <class Step, TileUse kUse, class Lane, size_t... R>
constexpr TileTable packed_tiles(std::index_sequence<R...>) {
  return {{nullptr, &tile_of<Step, Packed<int(R) + 1>, int(R) + 1, kUse, Lane>...}};
}
template <class Step, class Words, size_t... R>
constexpr TileTable panel_tiles(std::index_sequence<R...>) {
  return {{nullptr, &tile_of<Step, Words, int(R) + 1>...}};
}

// Runs a tile, of whose 32 lanes only `lanes` have results in memory: with fewer they pass through a buffer. (A copy of
// the arguments, wide loads of what was just stored in words, would wait until the tile before has ended.)
inline void run_tile(const TileTable& tiles, const TileArguments& whole, int64_t rows, int64_t lanes) {
  if (lanes == kPanel) return tiles.of_rows[rows](whole);
  TileArguments t = whole;
  float buffer[kTileRows * kPanel] = {}, bias[kPanel] = {};
  if (t.start == Start::results)
    for (int64_t r = 0; r < rows; ++r) std::copy_n(whole.results + r * whole.result_stride, lanes, buffer + r * kPanel);
  if (t.start == Start::bias) std::copy_n(t.bias, lanes, bias), t.bias = bias;
  t.results = buffer, t.result_stride = kPanel, t.next_results = nullptr;
  tiles.of_rows[rows](t);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(buffer + r * kPanel, lanes, whole.results + r * whole.result_stride);
}
