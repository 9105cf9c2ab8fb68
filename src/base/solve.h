// A few linear equations: x with matrix · x = vector, of a symmetric positive definite matrix, by elimination, which
// needs no pivots there.
#pragma once

#include <array>
#include <cstddef>

namespace fude {

template <size_t N>
std::array<double, N> solve(std::array<std::array<double, N>, N> matrix, std::array<double, N> vector) {
  for (size_t i = 0; i < N; ++i)
    for (size_t row = i + 1; row < N; ++row) {
      const double factor = matrix[row][i] / matrix[i][i];
      for (size_t k = i; k < N; ++k) matrix[row][k] -= factor * matrix[i][k];
      vector[row] -= factor * vector[i];
    }
  for (size_t i = N; i-- > 0;) {
    for (size_t k = i + 1; k < N; ++k) vector[i] -= matrix[i][k] * vector[k];
    vector[i] /= matrix[i][i];
  }
  return vector;
}

}  // namespace fude
