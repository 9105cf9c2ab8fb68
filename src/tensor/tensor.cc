#include "tensor/tensor.h"

#include <atomic>
#include <cstddef>
#include <cstring>

#include "base/error.h"

namespace fude {

struct Tensor::Storage {
  Device* device;
  void* block;
  int64_t bytes;
  Purpose purpose;
  Storage(Device* device, void* block, int64_t bytes, Purpose purpose)
      : device(device), block(block), bytes(bytes), purpose(purpose) {}
  Storage(const Storage&) = delete;
  ~Storage() { device->release(block, bytes, purpose); }
};

namespace {
uint64_t next_id() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}
}  // namespace

Shape::Shape(std::initializer_list<int64_t> extents) : rank_(int(extents.size())) {
  require(extents.size() >= 1 && extents.size() <= 4, "[shape] expected one to four extents, got {}", extents.size());
  size_t axis = 0;
  int64_t size = 1;
  for (int64_t extent : extents) {
    require(extent >= 0, "[shape] expected extents of at least 0, got {}", extent);
    require(extent == 0 || size <= (int64_t(1) << 44) / extent, "[shape] too large");
    size *= extent;
    extents_[axis++] = extent;
  }
}

int64_t Shape::size() const {
  int64_t size = rank_ == 0 ? 0 : 1;
  for (int axis = 0; axis < rank_; ++axis) size *= extents_[size_t(axis)];
  return size;
}

int64_t Shape::cols() const {
  int64_t cols = rank_ == 0 ? 0 : 1;
  for (int axis = 1; axis < rank_; ++axis) cols *= extents_[size_t(axis)];
  return cols;
}

std::string Shape::text() const {
  std::string text = "[";
  for (int axis = 0; axis < rank_; ++axis) text += (axis ? ", " : "") + std::to_string(extents_[size_t(axis)]);
  return text + "]";
}

Tensor::Tensor(Device& device, Shape shape, DType type, Purpose purpose, Contents contents)
    : shape_(shape), type_(type) {
  id_ = next_id();
  const int64_t bytes = shape.size() * size_of(type);
  void* block = device.allocate(bytes, purpose, contents);
  storage_ = std::make_shared<Storage>(&device, block, bytes, purpose);
}

void* Tensor::raw() const {
  if (storage_ == nullptr || storage_->block == nullptr || storage_->device->only_counts()) return nullptr;
  return static_cast<std::byte*>(storage_->block) + offset_ * size_of(type_);
}

Device& Tensor::device() const {
  require(storage_ != nullptr, "[tensor] expected a tensor with memory, got an empty one");
  return *storage_->device;
}

Tensor Tensor::reshaped(Shape shape) const {
  require(shape.size() == size(), "[tensor] cannot reshape {} to {}", shape_, shape);
  Tensor other = *this;
  other.shape_ = shape;
  return other;
}

Tensor Tensor::slice_rows(int64_t begin, int64_t count) const {
  require(begin >= 0 && count >= 0 && begin + count <= rows(), "[tensor] rows {} to {} of {} do not exist", begin,
          begin + count, rows());
  Tensor part = *this;
  part.offset_ += begin * cols();
  part.shape_ = shape_.rank() == 1 ? Shape{count} : Shape{count, cols()};
  part.id_ = next_id();
  return part;
}

void Tensor::check_type(DType wanted) const {
  require(wanted == type_, "[tensor] expected {}, got {}", name_of(wanted), name_of(type_));
}

void require_shape(std::string_view op, std::string_view name, const Tensor& tensor, const Shape& expected) {
  require(tensor.shape() == expected, "[{}] {}: expected {}, got {}", op, name, expected, tensor.shape());
}

void fill_zero(Tensor& tensor) {
  if (tensor.raw() != nullptr) std::memset(tensor.raw(), 0, size_t(tensor.bytes()));
}

}  // namespace fude
