#include "tensor/parameter.h"

#include "base/error.h"

namespace fude {

Parameter::Parameter(Device& device, std::string name, Layout layout, std::vector<Segment> segments, int64_t cols)
    : name_(std::move(name)), layout_(layout), segments_(std::move(segments)), cols_(cols) {
  for (const Segment& segment : segments_) {
    require(segment.rows > 0, "[parameter] {}: segment {} is empty", name_, segment.name);
    rows_ += segment.rows;
  }
  require(rows_ > 0 && cols_ > 0, "[parameter] {}: expected rows and columns, got {} x {}", name_, rows_, cols_);
  const int64_t stored_rows = is_matrix() ? (rows_ + kPanel - 1) / kPanel * kPanel : rows_;
  values_ = Tensor(device, {stored_rows * cols_}, DType::f32, Purpose::weights);
  fill_zero(values_);
}

void Parameter::set_rows(int64_t begin, int64_t count, const float* row_major) {
  require(begin >= 0 && begin + count <= rows_, "[parameter] {}: rows out of range", name_);
  float* stored = values_.data<float>();
  if (stored == nullptr) return;
  for (int64_t row = 0; row < count; ++row)
    for (int64_t col = 0; col < cols_; ++col) stored[position(begin + row, col)] = row_major[row * cols_ + col];
}

void Parameter::get_rows(int64_t begin, int64_t count, float* row_major) const {
  get_rows_of(values_, begin, count, row_major);
}

void Parameter::get_rows_of(const Tensor& same_order, int64_t begin, int64_t count, float* row_major) const {
  require(begin >= 0 && begin + count <= rows_ && same_order.size() == stored(), "[parameter] {}: rows out of range", name_);
  const float* stored = same_order.data<float>();
  for (int64_t row = 0; row < count; ++row)
    for (int64_t col = 0; col < cols_; ++col) row_major[row * cols_ + col] = stored[position(begin + row, col)];
}

}  // namespace fude
