#include "tensor/parameter.h"

#include "base/error.h"

namespace fude {

Parameter::Parameter(Device& device, std::string name, Layout layout, std::vector<Segment> segments, int64_t cols,
                     Precision precision)
    : name_(std::move(name)), layout_(layout), segments_(std::move(segments)), cols_(cols) {
  for (const Segment& segment : segments_) {
    require(segment.rows > 0, "[parameter] {}: segment {} is empty", name_, segment.name);
    rows_ += segment.rows;
  }
  require(rows_ > 0 && cols_ > 0, "[parameter] {}: expected rows and columns, got {} x {}", name_, rows_, cols_);
  const bool is_bf16 = is_matrix() && precision.compute == DType::bf16;
  require(!is_bf16 || cols_ % 2 == 0, "[parameter] {}: expected an even number of columns for bf16, got {}", name_,
          cols_);
  const int64_t stored_rows = is_matrix() ? (rows_ + kPanel - 1) / kPanel * kPanel : rows_;
  if (!is_bf16 || precision.keeps_master) {
    values_ = Tensor(device, {stored_rows * cols_}, DType::f32, Purpose::weights, Contents::zero);
  }
  packed_ = values_;
  if (is_bf16) { packed_ = Tensor(device, {stored_rows * cols_}, DType::bf16, Purpose::weights, Contents::zero); }
}

void Parameter::set_rows(int64_t begin, int64_t count, const float* row_major) {
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  if (packed_.raw() == nullptr) return;
  float* values = values_.is_empty() ? nullptr : values_.data<float>();
  BFloat16* pairs = compute() == DType::bf16 ? packed_.data<BFloat16>() : nullptr;
  // Rows of one panel together: its lines of memory are then written once, not once a row.
  const int64_t together = is_matrix() ? kPanel : 1;
  for (int64_t first = 0, next = 0; first < count; first = next) {
    next = std::min(count, first + together - (begin + first) % together);
    for (int64_t col = 0; col < cols_; ++col) {
      const int64_t at = position(begin + first, col);
      const float* from = row_major + first * cols_ + col;
      for (int64_t i = 0; i < next - first; ++i) {
        const float value = from[i * cols_];
        if (values != nullptr) values[at + i] = value;
        if (pairs != nullptr) pairs[paired_position(at + i)] = BFloat16(value);
      }
    }
  }
}

void Parameter::get_rows(int64_t begin, int64_t count, float* row_major) const {
  if (!values_.is_empty()) return get_rows_of(values_, begin, count, row_major);
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  const BFloat16* pairs = packed_.data<BFloat16>();
  for (int64_t row = 0; row < count; ++row)
    for (int64_t col = 0; col < cols_; ++col)
      row_major[row * cols_ + col] = float(pairs[paired_position(position(begin + row, col))]);
}

void Parameter::get_rows_of(const Tensor& same_order, int64_t begin, int64_t count, float* row_major) const {
  require(begin >= 0 && begin + count <= rows_ && same_order.size() == stored(), "[parameter] {}: rows out of range",
          name_);
  const float* stored = same_order.data<float>();
  for (int64_t row = 0; row < count; ++row)
    for (int64_t col = 0; col < cols_; ++col) row_major[row * cols_ + col] = stored[position(begin + row, col)];
}

}  // namespace fude
