// Builds the kernel tables from the list of ops that CMake writes, and picks one.
#include <array>

#include "backend/cpu/tier.h"
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

template <class Result, class... Arguments>
void fill_with_nothing(Result (*&slot)(Arguments...)) {
  slot = [](Arguments...) -> Result { return Result(); };
}

Kernels make(Tier wanted) {
  Kernels kernels{};
#define FUDE_OP(op, tier) \
  if (wanted == Tier::tier) tier_##tier::fill_##op(kernels);
#include "op_list.inc"
#undef FUDE_OP
  kernels.name = name_of(wanted).data();
  kernels.bf16 = wanted == Tier::avx512_bf16 ? "bf16-dot" : "bf16";
  return kernels;
}

}  // namespace

const Kernels& kernels_of(int tier) {
  static const std::array<Kernels, 4> tables = {make(Tier::portable), make(Tier::avx2), make(Tier::avx512),
                                                make(Tier::avx512_bf16)};
  require(tier >= 0 && tier < 4 && tables[size_t(tier)].linear != nullptr, "[kernels] this build has no tier {}", tier);
  return tables[size_t(tier)];
}

const Kernels& default_kernels() { return kernels_of(int(choose_tier())); }

const Kernels& counting_kernels() {
  static const Kernels table = [] {
    Kernels k{};
    k.name = "counting";
    fill_with_nothing(k.linear), fill_with_nothing(k.linear_backward_input),
        fill_with_nothing(k.linear_backward_weight);
    fill_with_nothing(k.linear_backward_bias), fill_with_nothing(k.rms_norm), fill_with_nothing(k.rms_norm_backward);
    fill_with_nothing(k.layer_norm), fill_with_nothing(k.layer_norm_backward), fill_with_nothing(k.embedding);
    fill_with_nothing(k.embedding_backward), fill_with_nothing(k.qkv_rope), fill_with_nothing(k.qkv_rope_backward);
    fill_with_nothing(k.attention), fill_with_nothing(k.attention_backward), fill_with_nothing(k.silu_gated);
    fill_with_nothing(k.silu_gated_backward), fill_with_nothing(k.add), fill_with_nothing(k.accumulate);
    fill_with_nothing(k.gelu), fill_with_nothing(k.gelu_backward), fill_with_nothing(k.softmax_loss);
    fill_with_nothing(k.log_softmax), fill_with_nothing(k.sum_of_squares), fill_with_nothing(k.adamw);
    fill_with_nothing(k.pack_bf16);
    fill_with_nothing(k.probe_f32), fill_with_nothing(k.probe_bf16), fill_with_nothing(k.probe_read);
    return k;
  }();
  return table;
}

}  // namespace fude
