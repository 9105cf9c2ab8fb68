// A text as one vector: its hidden rows behind the last norm, pooled.
//
// mean is a sum over the positions, in their order, in f64, divided by their number; last and cls are the row of the
// last and of the first position. Rows come as they are computed, in chunks that others cut: the order of the sum is
// that of the positions, so the result is the same for every cut.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fude {

enum class Pooling { mean, last, cls };

struct EmbeddingOptions {
  Pooling pooling = Pooling::mean;
  bool is_normalised = true;  // to length 1 (L2): squares summed in order, in f64
};

class EmbeddingPool {
 public:
  // Of a text of `size` > 0 tokens.
  EmbeddingPool(const EmbeddingOptions& options, int64_t size)
      : options_(options), size_(size), needed_(options.pooling == Pooling::last ? size - 1 : 0) {}

  // The position whose row is needed next; `size` if none is.
  int64_t needed() const { return needed_; }
  // That row, f32.
  void add(std::span<const float> row_C);
  // When none is needed any more. [C], f32.
  std::vector<float> result() const;

 private:
  EmbeddingOptions options_;
  int64_t size_, needed_;
  std::vector<double> sum_C_;
};

}  // namespace fude
