// The gradients of parameters to which every row adds: rows are summed in blocks of 32, and blocks in order,
// so that the number of threads changes nothing.
#pragma once

// One gradient of several: `size` of the sums, from `first` on. None if the place is empty.
struct RowSum {
  GradientPlace place;
  int64_t first, size;
};

// each_row(row, sums) handles a row and adds its `width` terms to sums.
template <class EachRow>
void sum_over_rows(Threads& threads, int64_t rows, int64_t width, std::initializer_list<RowSum> results,
                   const EachRow& each_row) {
  constexpr int64_t kRows = 32;
  const int64_t blocks = (rows + kRows - 1) / kRows;
  float* partial = scratch(ScratchUse::results, blocks * width);
  threads.parallel_for(blocks, 1, [&](int64_t begin, int64_t end) {
    std::fill(partial + begin * width, partial + end * width, 0.0f);
    for (int64_t row = begin * kRows; row < std::min(rows, end * kRows); ++row)
      each_row(row, partial + row / kRows * width);
  });
  for (const RowSum& result : results) {
    if (result.place.tensor.is_empty()) continue;
    float* to = result.place.tensor.data<float>();
    if (!result.place.add) std::fill(to, to + result.size, 0.0f);
    for (int64_t block = 0; block < blocks; ++block) {
      const float* from = partial + block * width + result.first;
      for_lanes(0, result.size, [&](int64_t i, auto n) FUDE_INLINE_BODY {
        store_first(to + i, load_first(to + i, n) + load_first(from + i, n), n);
      });
    }
  }
}
