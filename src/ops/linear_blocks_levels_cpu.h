// What a panel in blocks of integers holds, a register of outputs at a time: levels as they lie there become bytes,
// scales and lows become f32. Products read them so, and so does what decodes a weight for dX.
namespace {

FUDE_INLINE UintPart load_bytes(const std::byte* p) { return (UintPart)load_part(reinterpret_cast<const float*>(p)); }

FUDE_INLINE Part load_halves(const std::byte* p) { return load_part(reinterpret_cast<const Float16*>(p)); }

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

}  // namespace
