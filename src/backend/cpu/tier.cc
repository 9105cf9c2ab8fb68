#include "backend/cpu/tier.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstdlib>
#include <string>

#include "base/error.h"

namespace fude {

std::string_view name_of(Tier tier) {
  switch (tier) {
    case Tier::portable:
      return "portable";
    case Tier::avx2:
      return "avx2";
    case Tier::avx512:
      return "avx512";
    case Tier::avx512_vnni:
      return "avx512_vnni";
    case Tier::avx512_bf16:
      return "avx512_bf16";
  }
  return "unknown";
}

namespace {

// Not among the names that every compiler's __builtin_cpu_supports knows.
bool has_f16c() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1) != 0;
#else
  return false;
#endif
}

// Intel's cores that have a matrix unit for bf16 beside it do the vector's dot product at a quarter of the rate of a
// multiply-add (measured on Emerald Rapids): two bf16 widened and multiplied as f32 take half as long.
bool has_slow_bf16_dot() {
#if defined(__x86_64__)
  return __builtin_cpu_is("intel") && !__builtin_cpu_is("cooperlake");
#else
  return false;
#endif
}

}  // namespace

bool foresees_streams() {
#if defined(__x86_64__)
  // Zen 4: one row of Q4_1 reads 19 GB/s with one thread and requests 8 KB ahead (into L2 22), 28 without any.
  return __builtin_cpu_is("amdfam19h") && __builtin_cpu_supports("avx512f");
#else
  return false;
#endif
}

bool is_supported(Tier tier) {
  if (tier > Tier::FUDE_LAST_TIER) return false;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  switch (tier) {
    case Tier::portable:
      return true;
    case Tier::avx2:
      return avx2;
    case Tier::avx512:
      return avx512;
    case Tier::avx512_vnni:
      return avx512 && __builtin_cpu_supports("avx512vnni");
    case Tier::avx512_bf16:
      return avx512 && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
  }
#endif
  return tier == Tier::portable;
}

std::vector<Tier> supported_tiers() {
  std::vector<Tier> tiers;
  for (Tier tier : kTiers)
    if (is_supported(tier)) tiers.push_back(tier);
  return tiers;
}

Tier choose_tier() {
  const char* wanted = std::getenv("FUDE_TIER");
  if (wanted == nullptr || *wanted == '\0') {
    const Tier best = supported_tiers().back();
    return best == Tier::avx512_bf16 && has_slow_bf16_dot() ? Tier::avx512_vnni : best;
  }
  for (Tier tier : kTiers)
    if (name_of(tier) == wanted) {
      require(is_supported(tier), "[tier] FUDE_TIER={} cannot run on this machine", wanted);
      return tier;
    }
  fail("[tier] FUDE_TIER expected portable, avx2, avx512, avx512_vnni or avx512_bf16, got '{}'", wanted);
}

}  // namespace fude
