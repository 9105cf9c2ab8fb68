# An op X is src/ops/X.h with its kernels in X_cpu.h, where `void fill_X(Kernels&)` is defined.
# add_ops(ALONE name... TIER name...) finds them all, compiles their kernels once per CPU tier, into the layer `ops`,
# inside an open tier (backend/cpu/tier_begin.h), and lists them for src/ops/select.cc. Those named after ALONE have a
# translation unit of their own; the others, which compile faster than the headers they need, share one. A TIER with
# names has only those ops, whose kernels its instructions change.
set(FUDE_TIERS portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND FUDE_TIERS avx2 avx512 avx512_vnni avx512_bf16)
endif()
if(FUDE_HIGHEST_TIER)
  list(FIND FUDE_TIERS "${FUDE_HIGHEST_TIER}" highest)
  if(highest EQUAL -1)
    message(FATAL_ERROR "FUDE_HIGHEST_TIER: expected one of ${FUDE_TIERS}, got ${FUDE_HIGHEST_TIER}")
  endif()
  math(EXPR count "${highest} + 1")
  list(SUBLIST FUDE_TIERS 0 ${count} FUDE_TIERS)
endif()
list(GET FUDE_TIERS -1 FUDE_LAST_TIER)

function(add_unit unit tier)
  set(includes "")
  foreach(name ${ARGN})
    string(APPEND includes "#include \"ops/${name}_cpu.h\"\n")
  endforeach()
  set(file ${CMAKE_BINARY_DIR}/ops/${unit}_${tier}.cc)
  file(CONFIGURE OUTPUT ${file} CONTENT [[
#include "ops/cpu_prelude.h"
#define FUDE_TIER_NAME @tier@
#include "backend/cpu/tier_begin.h"
#include "backend/cpu/simd.h"
@includes@#include "backend/cpu/tier_end.h"
]] @ONLY)
  target_sources(fude_ops PRIVATE ${file})
  set_source_files_properties(${file} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)  # g++ 12 sees its own AVX-512 intrinsics that way (GCC bug 105593)
    set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS -Wno-maybe-uninitialized)
  endif()
  if(tier STREQUAL portable AND NOT FUDE_LAST_TIER STREQUAL portable)  # the reference beside faster ones: half the time to compile
    set_property(SOURCE ${file} APPEND PROPERTY COMPILE_OPTIONS -O1)
  endif()
endfunction()

function(add_ops)
  cmake_parse_arguments(OPS "" "" "ALONE;AVX512_VNNI;AVX512_BF16" ${ARGN})
  file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/ops/*_cpu.h)
  set(ops "")
  foreach(file ${kernels})
    string(REGEX REPLACE "^.*/(.+)_cpu\\.h$" "\\1" name ${file})
    if(EXISTS ${CMAKE_SOURCE_DIR}/src/ops/${name}.h)
      list(APPEND ops ${name})
    endif()
  endforeach()

  # FUDE_OP(name, tier) for every pair, tier by tier.
  set(lines "")
  foreach(tier ${FUDE_TIERS})
    string(TOUPPER ${tier} TIER)
    if(DEFINED OPS_${TIER})
      set(ops_of_tier ${OPS_${TIER}})
    else()
      set(ops_of_tier ${ops})
    endif()
    set(together "")
    foreach(op ${ops_of_tier})
      string(APPEND lines "FUDE_OP(${op}, ${tier})\n")
      if(op IN_LIST OPS_ALONE)
        add_unit(${op} ${tier} ${op})
      else()
        list(APPEND together ${op})
      endif()
    endforeach()
    add_unit(together ${tier} ${together})
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/ops/op_list.inc CONTENT "${lines}" @ONLY)
  target_include_directories(fude_ops PRIVATE ${CMAKE_BINARY_DIR}/ops)
endfunction()
