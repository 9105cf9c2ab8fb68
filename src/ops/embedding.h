// x[n,:] = scale · table[rows[n],:];  add_embedding adds rows of a second table (learned positions).
//
// The table is stored in panels like every matrix (it may be the classifier's weight too). x: f32.
#pragma once

#include "ops/pass.h"

namespace fude {

// A new tensor of the rows. Error if a row does not exist.
Tensor embedding(const Pass& pass, const std::vector<int32_t>& rows_N, const Parameter& table_VC, float scale = 1);
// The same, added onto x_NC (in place: x_NC must have no other reader).
void add_embedding(const Pass& pass, const std::vector<int32_t>& rows_N, const Parameter& table_VC, Tensor& x_NC);

}  // namespace fude
