// Where the keys and values of each sequence lie: pages of 32 positions, each a run of rows of two tensors.
//
// Page p of sequence s, its positions 32 p to 32 p + 31, begins at row page_rows[first_page[s] + p]. In training the
// rows are the batch's own (the identity page table); a cache hands out pages as sequences grow and shares them.
// Attention reads keys and values only through this. Its blocks of 256 positions, which order its arithmetic, are eight
// pages; where the pages lie changes no bit.
//
// Rows are f32, bf16, or i8 with a scale for each row and head: the value is then scale · i8. What is stored is what is
// read, also of the tokens that are just running, so that a prompt in one piece and token by token are the same.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace fude {

inline constexpr int64_t kKeyBlock = 256, kKeyPage = 32;
static_assert(kKeyBlock % kKeyPage == 0);

// Pages that hold so many positions.
inline int64_t pages_for(int64_t positions) { return (positions + kKeyPage - 1) / kKeyPage; }

// Keys, or values.
struct KvRows {
  Tensor rows_RGD;
  Tensor scales_RG;  // with i8
};

struct KvView {
  KvRows k, v;
  std::vector<int64_t> page_rows;
  std::vector<int64_t> first_page;  // per sequence
};

}  // namespace fude
