# add_op(name...): compiles src/ops/<name>_cpu.h once per CPU tier, into the layer `ops`, and lists the op for src/ops/select.cc.
# Several names share a translation unit per tier, for kernels that compile faster than the headers they need.
# The header defines `void fill_<name>(Kernels&)`; it is included inside an open tier (backend/cpu/tier_begin.h).
set(FUDE_TIERS portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND FUDE_TIERS avx2 avx512 avx512_bf16)
endif()
set_property(GLOBAL PROPERTY FUDE_OPS "")

function(add_op first)
  set(includes "")
  foreach(name ${ARGV})
    set_property(GLOBAL APPEND PROPERTY FUDE_OPS ${name})
    string(APPEND includes "#include \"ops/${name}_cpu.h\"\n")
  endforeach()
  foreach(tier ${FUDE_TIERS})
    set(unit ${CMAKE_BINARY_DIR}/ops/${first}_${tier}.cc)
    file(CONFIGURE OUTPUT ${unit} CONTENT [[
#include "ops/cpu_prelude.h"
#define FUDE_TIER_NAME @tier@
#include "backend/cpu/tier_begin.h"
#include "backend/cpu/simd.h"
@includes@#include "backend/cpu/tier_end.h"
]] @ONLY)
    target_sources(fude_ops PRIVATE ${unit})
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)  # g++ 12 sees its own AVX-512 intrinsics that way (GCC bug 105593)
      set_source_files_properties(${unit} PROPERTIES COMPILE_OPTIONS -Wno-maybe-uninitialized)
    endif()
  endforeach()
endfunction()

# Writes the list that select.cc reads: FUDE_OP(name, tier) for every pair.
function(write_op_list)
  get_property(ops GLOBAL PROPERTY FUDE_OPS)
  set(lines "")
  foreach(tier ${FUDE_TIERS})
    foreach(op ${ops})
      string(APPEND lines "FUDE_OP(${op}, ${tier})\n")
    endforeach()
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/ops/op_list.inc CONTENT "${lines}" @ONLY)
  target_include_directories(fude_ops PRIVATE ${CMAKE_BINARY_DIR}/ops)
endfunction()
