// A tensor: a shared handle to contiguous row-major memory with a shape and a run-time element type. No
// strides, no arithmetic; a part of a tensor is some of its rows. Copying a Tensor copies the handle; the
// memory dies with the last one.
#pragma once

#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "backend/device.h"
#include "tensor/dtype.h"

namespace fude {

// Up to four extents; rows() is the first, cols() the product of the others.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> extents);
  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return extents_[size_t(axis)]; }
  int64_t size() const;
  int64_t cols() const;
  bool operator==(const Shape&) const = default;
  std::string text() const;  // "[2, 768]"

 private:
  std::array<int64_t, 4> extents_{};
  int rank_ = 0;
};

class Tensor {
 public:
  Tensor() = default;
  Tensor(Device& device, Shape shape, DType type, Purpose purpose = Purpose::activations,
         Contents contents = Contents::undefined);

  bool is_empty() const { return storage_ == nullptr; }
  // Whether another handle holds the same memory.
  bool is_shared() const { return storage_.use_count() > 1; }
  uint64_t id() const { return id_; }
  const Shape& shape() const { return shape_; }
  DType type() const { return type_; }
  int64_t size() const { return shape_.size(); }
  int64_t rows() const { return shape_[0]; }
  int64_t cols() const { return shape_.cols(); }
  int64_t bytes() const { return size() * size_of(type_); }

  // Typed access; Error if T is not the element type.
  template <class T>
  T* data() const {
    check_type(dtype_of<T>);
    return static_cast<T*>(raw());
  }
  void* raw() const;
  Device& device() const;
  // The same memory under another shape of the same size (and the same id: its gradient is the same gradient).
  Tensor reshaped(Shape shape) const;
  // Rows [begin, begin + count) as a tensor of its own (own id) over the same memory.
  Tensor slice_rows(int64_t begin, int64_t count) const;

 private:
  struct Storage;
  void check_type(DType wanted) const;

  std::shared_ptr<Storage> storage_;
  Shape shape_;
  DType type_ = DType::f32;
  uint64_t id_ = 0;
  int64_t offset_ = 0;  // in elements
};

// Error "[op] name: expected [2, 768], got [2, 512]" unless the shapes are equal.
void require_shape(std::string_view op, std::string_view name, const Tensor& tensor, const Shape& expected);
void fill_zero(Tensor& tensor);

}  // namespace fude

// Only a message that is made spells its shapes out.
template <>
struct fmt::formatter<fude::Shape> {
  constexpr auto parse(fmt::format_parse_context& context) const { return context.begin(); }
  auto format(const fude::Shape& shape, fmt::format_context& context) const {
    return fmt::format_to(context.out(), "{}", shape.text());
  }
};
