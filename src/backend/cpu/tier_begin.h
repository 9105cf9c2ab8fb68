// Opens a CPU tier: switches the target region on and enters its namespace. FUDE_TIER_NAME is set by the generated
// translation unit (cmake/ops.cmake), which has included every standard header before, so that nothing shared between
// tiers is compiled inside the region. Closed by tier_end.h.
#define FUDE_TIER_portable 0
#define FUDE_TIER_avx2 1
#define FUDE_TIER_avx512 2
#define FUDE_TIER_avx512_vnni 3
#define FUDE_TIER_avx512_bf16 4
#define FUDE_JOIN_(a, b) a##b
#define FUDE_JOIN(a, b) FUDE_JOIN_(a, b)
#define FUDE_TIER_LEVEL FUDE_JOIN(FUDE_TIER_, FUDE_TIER_NAME)

#if defined(__clang__)
#if FUDE_TIER_LEVEL == 1
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#elif FUDE_TIER_LEVEL == 2
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"))), \
                             apply_to = function)
#elif FUDE_TIER_LEVEL == 3
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
                             apply_to = function)
#elif FUDE_TIER_LEVEL == 4
#pragma clang attribute push(                                                                          \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16"))), \
    apply_to = function)
#endif
#else
#pragma GCC push_options
#if FUDE_TIER_LEVEL == 1
#pragma GCC target("avx2,fma,f16c")
#elif FUDE_TIER_LEVEL == 2
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#elif FUDE_TIER_LEVEL == 3
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prefer-vector-width=512")
#elif FUDE_TIER_LEVEL == 4
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,prefer-vector-width=512")
#endif
#endif

namespace fude {
namespace FUDE_JOIN(tier_, FUDE_TIER_NAME) {
