// The CPU tiers: which instruction sets a kernel table was built for. Each has those of the one below it, and more; of
// an op that gains nothing from them it takes the kernels below (cmake/ops.cmake).
//
// Each kernel file is compiled once per tier inside a target region (tier_begin.h … tier_end.h), never by file flags:
// with flags the linker may keep a too-new copy of a shared inline function.
#pragma once

#include <string_view>
#include <vector>

namespace fude {

enum class Tier { portable, avx2, avx512, avx512_vnni, avx512_bf16 };

inline constexpr Tier kTiers[] = {Tier::portable, Tier::avx2, Tier::avx512, Tier::avx512_vnni, Tier::avx512_bf16};

std::string_view name_of(Tier tier);
// Whether this machine (and its operating system) can run the tier, and the build has it.
bool is_supported(Tier tier);
std::vector<Tier> supported_tiers();
// The fastest supported tier, or the one named by the environment variable FUDE_TIER. Error if that one is unknown or
// cannot run here.
Tier choose_tier();
// Whether a core foresees a stream by itself, and gets it later if the program asks for it too.
bool foresees_streams();

}  // namespace fude
