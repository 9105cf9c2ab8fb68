// The loops of probe.h. Independent chains of multiply-adds, enough to hide the instruction's latency on two
// pipes (at least ten), few enough for all to stay in registers beside the constant operands: twelve of
// sixteen ymm, twenty-four of thirty-two zmm. The chains are array elements with constant indices only: in a
// loop g++ 12 keeps them on the stack. The values converge to 1 and stay normal numbers.

inline constexpr int kChains = FUDE_TIER_LEVEL >= 2 ? 24 : 12;

FUDE_INLINE void keep(Part x) { [[maybe_unused]] volatile float kept = x[0]; }

template <size_t... I>
FUDE_INLINE void run_chains(int64_t rounds, std::index_sequence<I...>) {
  const Part half = Part{} + 0.5f;
  Part chain[] = {(Part{} + float(I))...};
  for (; rounds > 0; --rounds) ((chain[I] = fma(chain[I], half, half)), ...);
  (keep(chain[I]), ...);
}

inline double probe_f32(int64_t rounds) {
  run_chains(rounds, std::make_index_sequence<kChains>());
  return 2.0 * kChains * kPartLanes * double(rounds);
}

#if FUDE_TIER_LEVEL >= 4
template <size_t... I>
FUDE_INLINE void run_dot_chains(int64_t rounds, std::index_sequence<I...>) {
  const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(-0.5f));
  const __m512bh b = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1.0f), _mm512_set1_ps(1.0f));
  __m512 chain[] = {_mm512_set1_ps(float(I))...};
  for (; rounds > 0; --rounds) ((chain[I] = _mm512_dpbf16_ps(chain[I], a, b)), ...);
  (keep((Part)chain[I]), ...);
}

inline double probe_bf16(int64_t rounds) {
  run_dot_chains(rounds, std::make_index_sequence<kChains>());
  return 4.0 * kChains * kPartLanes * double(rounds);
}
#endif

#if FUDE_TIER_LEVEL >= 1
// Products of bytes: where four of them add to 32 bits at once, that; else pairs to 16 bits, and an addition. (What 16
// bits hold has to be widened now and then, which is no part of the peak.) The instructions are written out: equal
// products would be made once, and g++ 12 moves the sums of its intrinsic through the stack in a loop.
FUDE_INLINE void add_bytes(IntPart& sum, IntPart a) {
#if FUDE_TIER_LEVEL >= 3
  asm volatile("vpdpbusd %1, %1, %0" : "+v"(sum) : "v"(a));
#else
  typedef int16_t Shorts __attribute__((vector_size(sizeof(IntPart))));
  Shorts pairs;
  asm volatile("vpmaddubsw %1, %1, %0" : "=v"(pairs) : "v"(a));
  sum = (IntPart)((Shorts)sum + pairs);
#endif
}

// Sums of 16 bits, as two of which each lane holds, to one of 32.
FUDE_INLINE IntPart widened(IntPart sum) {
#if FUDE_TIER_LEVEL < 3
  asm("vpmaddwd %0, %0, %0" : "+v"(sum));
#endif
  return sum;
}

template <size_t... I>
FUDE_INLINE void run_byte_chains(int64_t rounds, std::index_sequence<I...>) {
  IntPart chain[] = {(IntPart{} + int32_t(I))...};
  const IntPart a = IntPart{} + 0x01010101;
  for (; rounds > 0; --rounds) (add_bytes(chain[I], a), ...);
  (keep((Part)chain[I]), ...);
}

inline double probe_i8(int64_t rounds) {
  run_byte_chains(rounds, std::make_index_sequence<kChains - 2>());
  return 2.0 * (kChains - 2) * 4 * kPartLanes * double(rounds);
}

// What is left of it if each 32 products of a lane, as many as a block has, end as a number with a scale.
template <size_t... I>
FUDE_INLINE void run_scaled_chains(int64_t rounds, std::index_sequence<I...>) {
  Part total[] = {(Part{} + float(I))...};
  const Part scale = Part{} + 0.5f;
  const IntPart a = IntPart{} + 0x01010101;
  for (; rounds > 0; --rounds) {
    IntPart sums[sizeof...(I)] = {};
    for (int words = 0; words < 8; ++words) (add_bytes(sums[I], a), ...);
    ((total[I] = fma(__builtin_convertvector(widened(sums[I]), Part), scale, total[I])), ...);
  }
  (keep(total[I]), ...);
}

inline double probe_i8_scaled(int64_t rounds) {
  constexpr int kSums = FUDE_TIER_LEVEL >= 2 ? 12 : 5;  // each in two registers
  run_scaled_chains(rounds, std::make_index_sequence<kSums>());
  return 2.0 * kSums * 32 * kPartLanes * double(rounds);
}
#endif

template <size_t... I>
FUDE_INLINE Part sum_of(const float* p, int64_t count, std::index_sequence<I...>) {
  Part total[] = {(Part{} + float(I))...};
  for (const float* end = p + count; p < end; p += int64_t(sizeof...(I)) * kPartLanes)
    ((total[I] += *reinterpret_cast<const UnalignedPart*>(p + int64_t(I) * kPartLanes)), ...);
  return (total[I] + ...);
}

inline void probe_read(const float* values, int64_t count) {
  keep(sum_of(values, count, std::make_index_sequence<8>()));
}

void fill_probe(Kernels& kernels) {
  kernels.probe_f32 = probe_f32;
#if FUDE_TIER_LEVEL >= 4
  kernels.probe_bf16 = probe_bf16;
#endif
#if FUDE_TIER_LEVEL >= 1
  kernels.probe_i8 = probe_i8;
  kernels.probe_i8_scaled = probe_i8_scaled;
#endif
  kernels.probe_read = probe_read;
}
