// Everything a kernel file may use, included before its tier opens so that shared code is compiled for any machine.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/cpu/tier.h"
#include "backend/scratch.h"
#include "ops/kernels.h"
#include "tensor/float16.h"

namespace fude {

// Rows of `cols` elements in a chunk of element-wise work: a microsecond, so that handing it out costs little.
inline int64_t rows_per_chunk(int64_t cols) { return std::max<int64_t>(1, 4096 / std::max<int64_t>(1, cols)); }

}  // namespace fude
