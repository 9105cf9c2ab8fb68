// Where the keys and values of each sequence lie: blocks of 256 absolute positions, each a run of rows of two tensors.
//
// Block b of sequence s begins at row block_rows[first_block[s] + b]. In training the rows are the batch's own (the
// identity page table); a cache points into its pages. Attention reads keys and values only through this.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace fude {

inline constexpr int64_t kKeyBlock = 256;

struct KvView {
  Tensor k_RGD, v_RGD;
  std::vector<int64_t> block_rows;
  std::vector<int64_t> first_block;  // per sequence
};

}  // namespace fude
