// Builds the kernel tables from the list of ops that CMake writes, and picks one.
#include <array>

#include "base/error.h"
#include "ops/kernels.h"

namespace fude {

#define FUDE_OP(op, tier)     \
  namespace tier_##tier {     \
    void fill_##op(Kernels&); \
  }
#include "op_list.inc"
#undef FUDE_OP

namespace {

Kernels make(Tier wanted) {
  Kernels kernels{};
#define FUDE_OP(op, tier)                                    \
  if (Tier::tier <= wanted) tier_##tier::fill_##op(kernels); \
  if (Tier::tier == wanted) kernels.name = name_of(wanted).data();
#include "op_list.inc"  // tiers ascend: what an op has in a higher one replaces the lower one's
#undef FUDE_OP
  kernels.bf16 = wanted == Tier::avx512_bf16 ? "bf16-dot" : "bf16";
  return kernels;
}

}  // namespace

const Kernels& kernels_of(Tier tier) {
  static const auto tables = [] {
    std::array<Kernels, std::size(kTiers)> all;
    for (Tier each : kTiers) all[size_t(each)] = make(each);
    return all;
  }();
  const Kernels& kernels = tables[size_t(tier)];
  require(*kernels.name != 0, "[kernels] this build has no tier {}", name_of(tier));
  return kernels;
}

const Kernels& default_kernels() { return kernels_of(choose_tier()); }

const Kernels& counting_kernels() {
  static const Kernels table{.name = "counting"};
  return table;
}

}  // namespace fude
