// How the tensors of a file lie: as they are multiplied, or as the family's own files have them.
#pragma once

#include <string>
#include <vector>

#include "tensor/parameter.h"

namespace fude {

// The name of a tensor or module in the files of a family of text models. In a model that sees as well it lies a level
// deeper: as "language_model.model.…" of transformers 4, or "model.language_model.…" of 5.
inline std::string name_in_text_model(std::string name) {
  constexpr std::string_view kOuter = "model.", kLevel = "language_model.";
  const size_t at = name.find(kLevel);
  if (at == 0 || (at == kOuter.size() && name.starts_with(kOuter))) name.erase(at, kLevel.size());
  return name;
}

inline std::vector<int64_t> shape_in_file(const Parameter& parameter, const Segment& segment,
                                          bool in_family_form = true) {
  if (!parameter.is_matrix()) return {segment.rows};
  if (segment.transposed_in_file && in_family_form) return {parameter.cols(), segment.rows};
  return {segment.rows, parameter.cols()};
}

inline std::vector<float> transposed(const std::vector<float>& x, int64_t rows, int64_t cols) {
  std::vector<float> y(x.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) y[size_t(c * rows + r)] = x[size_t(r * cols + c)];
  return y;
}

// The values of a segment, or of some of its rows, from how the family's own files have them to how they are
// multiplied, and back. Weights that are stored less one survive that in either direction if they once came from such a
// file.
inline std::vector<float> from_family_form(const Parameter& parameter, const Segment& segment,
                                           std::vector<float> values) {
  const int64_t cols = parameter.cols();
  if (parameter.is_matrix() && segment.transposed_in_file)
    values = transposed(values, cols, int64_t(values.size()) / cols);
  if (segment.is_less_one_in_file)
    for (float& value : values) value += 1;
  return values;
}

inline std::vector<float> to_family_form(const Parameter& parameter, const Segment& segment,
                                         std::vector<float> values) {
  const int64_t cols = parameter.cols();
  if (parameter.is_matrix() && segment.transposed_in_file)
    values = transposed(values, int64_t(values.size()) / cols, cols);
  if (segment.is_less_one_in_file)
    for (float& value : values) value -= 1;
  return values;
}

}  // namespace fude
