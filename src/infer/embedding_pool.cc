#include "infer/embedding_pool.h"

#include <cmath>

#include "base/error.h"

namespace fude {

void EmbeddingPool::add(std::span<const float> row_C) {
  require(needed_ < size_, "[embedding] expected no more rows, got one");
  sum_C_.resize(row_C.size());
  for (size_t c = 0; c < row_C.size(); ++c) sum_C_[c] += double(row_C[c]);
  needed_ = options_.pooling == Pooling::mean ? needed_ + 1 : size_;
}

std::vector<float> EmbeddingPool::result() const {
  require(needed_ == size_, "[embedding] expected the rows of {} positions, got {}", size_, needed_);
  double divisor = options_.pooling == Pooling::mean ? double(size_) : 1;
  if (options_.is_normalised) {
    double squares = 0;
    for (const double x : sum_C_) squares += x * x;
    divisor = squares > 0 ? std::sqrt(squares) : 1;
  }
  std::vector<float> embedding_C;
  for (const double x : sum_C_) embedding_C.push_back(float(x / divisor));
  return embedding_C;
}

}  // namespace fude
