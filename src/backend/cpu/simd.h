// Sixteen f32 lanes: the vocabulary in which element-wise kernels and reductions are written, the same for every tier.
//
// Included between tier_begin.h and tier_end.h. The lanes are a GCC/Clang vector type, so one text becomes one zmm, two
// ymm or four xmm registers; only the fused multiply-add is spelled per tier. Sixteen logical lanes and one fixed tree
// whatever the hardware width, and own exp/tanh: all tiers give the same bits.
#if !defined(FUDE_TIER_LEVEL)
#error "include simd.h between tier_begin.h and tier_end.h"
#endif

#define FUDE_INLINE inline __attribute__((always_inline))

typedef float Lanes __attribute__((vector_size(64)));
typedef int32_t IntLanes __attribute__((vector_size(64)));
typedef uint32_t UintLanes __attribute__((vector_size(64)));
typedef uint16_t HalfLanes __attribute__((vector_size(32)));
inline constexpr int64_t kLanes = 16;

FUDE_INLINE Lanes broadcast(float x) { return Lanes{} + x; }

FUDE_INLINE Lanes load(const float* p) {
  Lanes x;
  __builtin_memcpy(&x, p, 64);
  return x;
}
FUDE_INLINE void store(float* p, Lanes x) { __builtin_memcpy(p, &x, 64); }

// Eight bits of exponent and seven of mantissa: the upper half of an f32.
FUDE_INLINE Lanes load(const BFloat16* p) {
  HalfLanes half;
  __builtin_memcpy(&half, p, 32);
  return (Lanes)(__builtin_convertvector(half, UintLanes) << 16);
}
// Rounds to nearest even; NaN stays NaN.
FUDE_INLINE void store(BFloat16* p, Lanes x) {
  const UintLanes bits = (UintLanes)x;
  const UintLanes rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const UintLanes kept = (UintLanes)((bits & 0x7FFFFFFFu) > 0x7F800000u ? UintLanes{} + 0x7FC0u : rounded);
  const HalfLanes half = __builtin_convertvector(kept, HalfLanes);
  __builtin_memcpy((void*)p, &half, 32);
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
FUDE_INLINE void store_first(T* p, Lanes x, int64_t n) {
  if (n >= kLanes) return store(p, x);
  T full[kLanes];
  store(full, x);
  for (int64_t i = 0; i < n; ++i) p[i] = full[i];
}

// a · b + c, rounded once.
FUDE_INLINE Lanes fma(Lanes a, Lanes b, Lanes c) {
#if FUDE_TIER_LEVEL >= 2
  return (Lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif FUDE_TIER_LEVEL == 1
  __m256 x[2], y[2], z[2];
  __builtin_memcpy(x, &a, 64), __builtin_memcpy(y, &b, 64), __builtin_memcpy(z, &c, 64);
  z[0] = _mm256_fmadd_ps(x[0], y[0], z[0]), z[1] = _mm256_fmadd_ps(x[1], y[1], z[1]);
  __builtin_memcpy(&c, z, 64);
  return c;
#else
  for (int i = 0; i < 16; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
#endif
}

// The second where either is NaN.
FUDE_INLINE Lanes max(Lanes a, Lanes b) { return a > b ? a : b; }
FUDE_INLINE Lanes min(Lanes a, Lanes b) { return a < b ? a : b; }

// Lane i meets lane i+8, then i+4, i+2, i+1: one tree for every reduction.
FUDE_INLINE float sum(Lanes x) {
  float v[16];
  store(v, x);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) v[i] = v[i] + v[i + width];
  return v[0];
}
FUDE_INLINE float largest(Lanes x) {
  float v[16];
  store(v, x);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) v[i] = v[i] > v[i + width] ? v[i] : v[i + width];
  return v[0];
}

// e^x. Cody-Waite reduction to |r| ≤ ln2/2, degree-6 Taylor-like polynomial, 2^n through the exponent bits; relative
// error below 2 ulp. Below -87 it is exactly 0, above 88 it saturates; NaN stays NaN.
FUDE_INLINE Lanes exp(Lanes x) {
  const Lanes clamped = min(broadcast(88.0f), max(broadcast(-87.0f), x));
  const Lanes shifted = fma(clamped, broadcast(1.44269504f), broadcast(12582912.0f));
  const Lanes n = shifted - 12582912.0f;
  const Lanes r = fma(n, broadcast(-1.42860677e-6f), fma(n, broadcast(-0.693145752f), clamped));
  Lanes p = broadcast(1.98756912e-4f);
  p = fma(p, r, broadcast(1.39819994e-3f));
  p = fma(p, r, broadcast(8.33345205e-3f));
  p = fma(p, r, broadcast(4.16657962e-2f));
  p = fma(p, r, broadcast(1.66666657e-1f));
  p = fma(p, r, broadcast(0.5f));
  p = fma(p * r, r, r) + 1.0f;
  const Lanes scale = (Lanes)(((IntLanes)shifted << 23) + 0x3F800000);
  return x < broadcast(-87.0f) ? Lanes{} : p * scale;
}
FUDE_INLINE Lanes sigmoid(Lanes x) { return 1.0f / (1.0f + exp(-x)); }
// Absolute error below 2e-7.
FUDE_INLINE Lanes tanh(Lanes x) { return 1.0f - 2.0f / (exp(x + x) + 1.0f); }
