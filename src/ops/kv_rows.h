// Writes keys or values where a KvView finds them, in the type in which they are kept.
//
// bf16: to nearest even. i8: each head of a row has the scale max|x| / 127, and x is kept as the integer nearest to
// x / scale, of two the even one; so it comes back within half a scale, but for rounding. A head below 1e-30 is zero;
// one with anything infinite or NaN is all NaN.
#pragma once

#include "ops/pass.h"

namespace fude {

// Row n of x goes to row rows_N[n].
void put_kv_rows(Threads& threads, const Kernels& kernels, const Tensor& x_NGD, const std::vector<int64_t>& rows_N,
                 const KvRows& to);

}  // namespace fude
