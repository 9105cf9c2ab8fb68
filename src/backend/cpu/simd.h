// Sixteen f32 lanes: the vocabulary in which element-wise kernels and reductions are written, the same for every tier.
//
// Included between tier_begin.h and tier_end.h. Lanes are one, two or four vectors of the tier's own width,
// because a GCC vector wider than the hardware's is compared and selected element by element. Sixteen logical
// lanes, one fixed tree whatever the hardware width, and own exp and log: all tiers give the same bits.
#if !defined(FUDE_TIER_LEVEL)
#error "include simd.h between tier_begin.h and tier_end.h"
#endif

#define FUDE_INLINE inline __attribute__((always_inline))
// After the parameters of a lambda that is the body of a loop over lanes.
#define FUDE_INLINE_BODY __attribute__((always_inline))

#define FUDE_PART_BYTES (FUDE_TIER_LEVEL >= 2 ? 64 : FUDE_TIER_LEVEL == 1 ? 32 : 16)
typedef float Part __attribute__((vector_size(FUDE_PART_BYTES)));
typedef int32_t IntPart __attribute__((vector_size(FUDE_PART_BYTES)));
typedef uint32_t UintPart __attribute__((vector_size(FUDE_PART_BYTES)));
typedef uint16_t HalfPart __attribute__((vector_size(FUDE_PART_BYTES / 2)));
typedef int8_t BytePart __attribute__((vector_size(FUDE_PART_BYTES / 4)));
typedef float UnalignedPart __attribute__((vector_size(FUDE_PART_BYTES), aligned(4), may_alias));
typedef int8_t UnalignedBytePart __attribute__((vector_size(FUDE_PART_BYTES / 4), aligned(1), may_alias));
typedef uint16_t UnalignedHalfPart __attribute__((vector_size(FUDE_PART_BYTES / 2), aligned(2), may_alias));
inline constexpr int64_t kLanes = 16, kPartLanes = FUDE_PART_BYTES / 4;
#undef FUDE_PART_BYTES

struct Lanes {
  Part part[kLanes / kPartLanes];
};

// Lanes whose part i is f(i), i a compile-time constant.
template <class Function, size_t... I>
FUDE_INLINE Lanes make_lanes(const Function& f, std::index_sequence<I...>) {
  return {{f(std::integral_constant<size_t, I>())...}};
}
template <class Function>
FUDE_INLINE Lanes make_lanes(const Function& f) {
  return make_lanes(f, std::make_index_sequence<size_t(kLanes / kPartLanes)>());
}

// --- one part. (AVX-512 with a full mask: g++ 12 warns of the undefined operand in its own plain intrinsics.)

template <size_t... I>
FUDE_INLINE Part fill_part(float x, std::index_sequence<I...>) {
  return Part{(void(I), x)...};
}
FUDE_INLINE Part fill_part(float x) { return fill_part(x, std::make_index_sequence<size_t(kPartLanes)>()); }
FUDE_INLINE Part load_part(const float* p) { return *(const UnalignedPart*)p; }
// Numbers of 16 bits, widened exactly: BF16 is the upper half of an f32. (g++ 12 converts vectors of such integers lane
// by lane.)
FUDE_INLINE Part load_part(const BFloat16* p) {
#if FUDE_TIER_LEVEL >= 2
  const __m512i words = _mm512_maskz_cvtepu16_epi32(0xFFFF, _mm256_loadu_si256((const __m256i*)p));
  return (Part)((UintPart)words << 16);
#elif FUDE_TIER_LEVEL == 1
  return (Part)((UintPart)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)) << 16);
#else
  return (Part)(__builtin_convertvector(HalfPart(*(const UnalignedHalfPart*)p), UintPart) << 16);
#endif
}
// Bytes, which it converts by lane too.
FUDE_INLINE Part load_part(const int8_t* p) {
#if FUDE_TIER_LEVEL >= 2
  return (Part)_mm512_cvtepi32_ps(_mm512_maskz_cvtepi8_epi32(0xFFFF, _mm_loadu_si128((const __m128i*)p)));
#elif FUDE_TIER_LEVEL == 1
  return (Part)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
#else
  return __builtin_convertvector(BytePart(*(const UnalignedBytePart*)p), Part);
#endif
}
FUDE_INLINE Part load_part(const Float16* p) {
#if FUDE_TIER_LEVEL >= 2
  return (Part)_mm512_maskz_cvtph_ps(0xFFFF, _mm256_loadu_si256((const __m256i*)p));
#elif FUDE_TIER_LEVEL == 1
  return (Part)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p));
#else
  Part x;
  for (int i = 0; i < kPartLanes; ++i) {
    Float16 half;
    __builtin_memcpy(&half, p + i, 2);
    x[i] = float(half);
  }
  return x;
#endif
}
FUDE_INLINE void store_part(float* p, Part x) { *(UnalignedPart*)p = x; }

// a · b + c, rounded once.
FUDE_INLINE Part fma(Part a, Part b, Part c) {
#if FUDE_TIER_LEVEL >= 2
  return (Part)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif FUDE_TIER_LEVEL == 1
  return (Part)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  for (int i = 0; i < kPartLanes; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
#endif
}
FUDE_INLINE Part square_root(Part x) {
#if FUDE_TIER_LEVEL >= 2
  return (Part)_mm512_maskz_sqrt_ps(0xFFFF, (__m512)x);
#elif FUDE_TIER_LEVEL == 1
  return (Part)_mm256_sqrt_ps((__m256)x);
#else
  for (int i = 0; i < kPartLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}
// The second where either is NaN.
FUDE_INLINE Part max(Part a, Part b) {
#if FUDE_TIER_LEVEL >= 2
  return (Part)_mm512_maskz_max_ps(0xFFFF, (__m512)a, (__m512)b);
#elif FUDE_TIER_LEVEL == 1
  return (Part)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return a > b ? a : b;
#endif
}
FUDE_INLINE Part min(Part a, Part b) {
#if FUDE_TIER_LEVEL >= 2
  return (Part)_mm512_maskz_min_ps(0xFFFF, (__m512)a, (__m512)b);
#elif FUDE_TIER_LEVEL == 1
  return (Part)_mm256_min_ps((__m256)a, (__m256)b);
#else
  return a < b ? a : b;
#endif
}

// --- sixteen lanes

FUDE_INLINE Lanes broadcast(float x) {
  return make_lanes([&](auto) FUDE_INLINE_BODY { return fill_part(x); });
}

FUDE_INLINE Lanes load(const float* p) {
  return make_lanes([&](auto i) FUDE_INLINE_BODY { return Part(*(const UnalignedPart*)(p + i * kPartLanes)); });
}
FUDE_INLINE void store(float* p, const Lanes& x) {
  make_lanes([&](auto i) FUDE_INLINE_BODY { return *(UnalignedPart*)(p + i * kPartLanes) = x.part[i]; });
}
FUDE_INLINE Lanes load(const BFloat16* p) {
  return make_lanes([&](auto i) FUDE_INLINE_BODY { return load_part(p + i * kPartLanes); });
}
FUDE_INLINE Lanes load(const int8_t* p) {
  return make_lanes([&](auto i) FUDE_INLINE_BODY { return load_part(p + i * kPartLanes); });
}
// Rounded to nearest even, in the upper half of each word; NaN stays NaN.
FUDE_INLINE UintPart bf16_bits(Part x) {
  const UintPart bits = (UintPart)x;
  const UintPart rounded = bits + 0x7FFFu + ((bits >> 16) & 1u);
  return ((IntPart)(bits & 0x7FFFFFFFu) > 0x7F800000 ? UintPart{} + 0x7FC00000u : rounded) & 0xFFFF0000u;
}
// The same with ties away from zero (tensor/split_float.h).
FUDE_INLINE UintPart bf16_bits_of_weight(Part x) {
  const UintPart bits = (UintPart)x;
  return ((IntPart)(bits & 0x7FFFFFFFu) > 0x7F800000 ? UintPart{} + 0x7FC00000u : bits + 0x8000u) & 0xFFFF0000u;
}
FUDE_INLINE void store(BFloat16* p, const Lanes& x) {
  make_lanes([&](auto i) FUDE_INLINE_BODY {
    *(UnalignedHalfPart*)(p + i * kPartLanes) = __builtin_convertvector(bf16_bits(x.part[i]) >> 16, HalfPart);
    return x.part[i];
  });
}

// The first n of sixteen; the other lanes are zero, and memory behind them is not touched.
template <class T>
FUDE_INLINE Lanes load_first(const T* p, int64_t n) {
  if (n >= kLanes) return load(p);
  T full[kLanes] = {};
  for (int64_t i = 0; i < n; ++i) full[i] = p[i];
  return load(full);
}
template <class T>
FUDE_INLINE void store_first(T* p, const Lanes& x, int64_t n) {
  if (n >= kLanes) return store(p, x);
  T full[kLanes];
  store(full, x);
  for (int64_t i = 0; i < n; ++i) p[i] = full[i];
}
template <size_t... I>
FUDE_INLINE IntPart lane_numbers(int32_t first, std::index_sequence<I...>) {
  return IntPart{(first + int32_t(I))...};
}
// x with `value` in all lanes from n on.
FUDE_INLINE Lanes keep_first(const Lanes& x, int64_t n, float value) {
  if (n >= kLanes) return x;
  return make_lanes([&](auto i) FUDE_INLINE_BODY {
    const IntPart lane = lane_numbers(int32_t(i * kPartLanes), std::make_index_sequence<size_t(kPartLanes)>());
    return lane < int32_t(n) ? x.part[i] : fill_part(value);
  });
}

// Calls body(i, n) for i = begin, begin + 16, … below end. n, the number of lanes meant, is a constant 16 but
// for a tail, so that load_first(p + i, n) costs nothing in the loop.
template <class Body>
FUDE_INLINE void for_lanes(int64_t begin, int64_t end, const Body& body) {
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) body(i, std::integral_constant<int64_t, kLanes>());
  if (i < end) body(i, end - i);
}

#define FUDE_OPERATOR(op)                                                               \
  FUDE_INLINE Lanes operator op(const Lanes& a, const Lanes& b) {                       \
    return make_lanes([&](auto i) FUDE_INLINE_BODY { return a.part[i] op b.part[i]; }); \
  }                                                                                     \
  FUDE_INLINE Lanes operator op(const Lanes& a, float b) { return a op broadcast(b); }  \
  FUDE_INLINE Lanes operator op(float a, const Lanes& b) { return broadcast(a) op b; }
FUDE_OPERATOR(+)
FUDE_OPERATOR(-)
FUDE_OPERATOR(*)
FUDE_OPERATOR(/)
#undef FUDE_OPERATOR
FUDE_INLINE Lanes operator-(const Lanes& a) {
  return make_lanes([&](auto i) FUDE_INLINE_BODY { return -a.part[i]; });
}
FUDE_INLINE Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return make_lanes([&](auto i) FUDE_INLINE_BODY { return fma(a.part[i], b.part[i], c.part[i]); });
}
FUDE_INLINE Lanes square_root(const Lanes& a) {
  return make_lanes([&](auto i) FUDE_INLINE_BODY { return square_root(a.part[i]); });
}
FUDE_INLINE Lanes max(const Lanes& a, const Lanes& b) {
  return make_lanes([&](auto i) FUDE_INLINE_BODY { return max(a.part[i], b.part[i]); });
}
FUDE_INLINE Lanes min(const Lanes& a, const Lanes& b) {
  return make_lanes([&](auto i) FUDE_INLINE_BODY { return min(a.part[i], b.part[i]); });
}

// Lane i meets lane i+8, then i+4, i+2, i+1: one tree for every reduction.
template <class Meet>
FUDE_INLINE float reduce(const Lanes& x, const Meet& meet) {
#if FUDE_TIER_LEVEL >= 2
  const auto eight = meet(__builtin_shufflevector(x.part[0], x.part[0], 0, 1, 2, 3, 4, 5, 6, 7),
                          __builtin_shufflevector(x.part[0], x.part[0], 8, 9, 10, 11, 12, 13, 14, 15));
#elif FUDE_TIER_LEVEL == 1
  const auto eight = meet(x.part[0], x.part[1]);
#endif
#if FUDE_TIER_LEVEL >= 1
  const auto four =
      meet(__builtin_shufflevector(eight, eight, 0, 1, 2, 3), __builtin_shufflevector(eight, eight, 4, 5, 6, 7));
#else
  const auto four = meet(meet(x.part[0], x.part[2]), meet(x.part[1], x.part[3]));
#endif
  return meet(meet(four[0], four[2]), meet(four[1], four[3]));
}
FUDE_INLINE float sum(const Lanes& x) {
  return reduce(x, [](auto a, auto b) FUDE_INLINE_BODY { return a + b; });
}
FUDE_INLINE float largest(const Lanes& x) {
  return reduce(x, [](auto a, auto b) FUDE_INLINE_BODY { return a > b ? a : b; });
}

// e^x. Cody-Waite reduction to |r| ≤ ln2/2, degree-7 Taylor-like polynomial in pairs (Estrin: half the chain of
// Horner's, and the chain is what takes the time), 2^n through the exponent bits; relative error below 2 ulp. Below -87
// it is exactly 0, above 88 it saturates; NaN stays NaN.
FUDE_INLINE Part exp(Part x) {
  const Part clamped = min(fill_part(88.0f), x);
  const Part shifted = fma(clamped, fill_part(1.44269504f), fill_part(12582912.0f));
  const Part n = shifted - 12582912.0f;
  const Part r = fma(n, fill_part(-1.42860677e-6f), fma(n, fill_part(-0.693145752f), clamped));
  const Part high = fma(fill_part(1.98756912e-4f), r, fill_part(1.39819994e-3f));
  const Part middle = fma(fill_part(8.33345205e-3f), r, fill_part(4.16657962e-2f));
  const Part rest = fma(fill_part(1.66666657e-1f), r, fill_part(0.5f)), square = r * r;
  const Part p = fma(fma(fma(high, square, middle), square, rest), square, r) + 1.0f;
  const Part scale = (Part)(((UintPart)shifted << 23) + 0x3F800000u);
  return x < -87.0f ? Part{} : p * scale;
}
FUDE_INLINE Lanes exp(const Lanes& x) {
  return make_lanes([&](auto i) FUDE_INLINE_BODY { return exp(x.part[i]); });
}
FUDE_INLINE float exp_of(float x) { return exp(fill_part(x))[0]; }
// log x, rounded from f64: log(m · 2^e) = e · log 2 + 2 artanh((m - 1) / (m + 1)) with m from √½ to √2.
inline float log_of(float x) {
  constexpr double kRootOfTwo = 1.4142135623730951, kLogOfTwo = 0.6931471805599453;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (!(x > 0.0f)) return x == 0.0f ? -kInfinity : std::numeric_limits<float>::quiet_NaN();
  if (x == kInfinity) return x;
  const auto bits = std::bit_cast<uint64_t>(double(x));
  int64_t exponent = int64_t(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFu) | 0x3FF0000000000000u);
  if (m > kRootOfTwo) m *= 0.5, ++exponent;
  const double s = (m - 1.0) / (m + 1.0), s2 = s * s;
  double series = 0.0;
  for (int i = 17; i >= 1; i -= 2) series = series * s2 + 1.0 / i;
  return float(double(exponent) * kLogOfTwo + 2.0 * s * series);
}
FUDE_INLINE Lanes sigmoid(const Lanes& x) { return 1.0f / (1.0f + exp(-x)); }
