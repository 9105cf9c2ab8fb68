// Where the keys and values of each sequence lie: pages of 32 positions, each a run of rows of two tensors.
//
// Page p of sequence s, its positions 32 p to 32 p + 31, begins at row page_rows[first_page[s] + p]. In training the
// rows are the batch's own (the identity page table), behind those of a prefix that several sequences go on from; a
// cache hands out pages as sequences grow and shares them. There a head of a page lies together, its keys turned:
// attention multiplies with them as they lie, in one stream. Attention reads keys and values only through this. Its
// blocks of 256 positions, which order its arithmetic, are eight pages; where and in which order they lie changes no
// bit.
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

// Of R rows of G heads of D elements: [R][G][D]; [R / 32][G][32][D]; [R / 32][G][D][32].
enum class KvOrder { rows, pages, turned_pages };

// Keys, or values.
struct KvRows {
  Tensor rows_RGD;   // in that order
  Tensor scales_RG;  // with i8; in pages [R / 32][G][32]
  KvOrder order = KvOrder::rows;

  // The place of a row's head among all of them, in units of D elements, and how far the next row of the page is. In
  // turned pages so for a page's first row, whose head begins there.
  int64_t place(int64_t row, int64_t head) const {
    const int64_t heads = rows_RGD.shape()[1];
    return order == KvOrder::rows ? row * heads + head : (row / kKeyPage * heads + head) * kKeyPage + row % kKeyPage;
  }
  int64_t step() const { return order == KvOrder::rows ? rows_RGD.shape()[1] : 1; }
};

struct KvView {
  KvRows k, v;
  std::vector<int64_t> page_rows;
  std::vector<int64_t> first_page;  // per sequence
};

}  // namespace fude
