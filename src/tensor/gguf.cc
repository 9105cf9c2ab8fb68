#include "tensor/gguf.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace fude {
namespace {

constexpr uint64_t kNameLimit = 65535;
constexpr uint64_t kValueLimit = uint64_t(1) << 56;  // of a tensor: its bytes still fit in 64 bits

// Takes a file to pieces from its beginning, never beyond its end.
class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, const std::string& path)
      : bytes_(reinterpret_cast<const char*>(bytes.data()), bytes.size()), path_(path) {}

  const std::string& path() const { return path_; }
  uint64_t at() const { return at_; }
  uint64_t left() const { return bytes_.size() - at_; }
  std::string_view since(uint64_t begin) const { return bytes_.substr(begin, at_ - begin); }

  // How many things follow that take so many bytes at least.
  uint64_t count(uint64_t least, const char* what) {
    const auto count = number<uint64_t>(what);
    require(count <= left() / least,
            "[gguf] {}: at byte {}: {} {} cannot be in {} bytes; the file is truncated or damaged", path_, at_, count,
            what, left());
    return count;
  }
  std::string_view take(uint64_t count, const char* what) {
    require(count <= left(), "[gguf] {}: at byte {}: expected {} bytes of {}, got {}; the file is truncated or damaged",
            path_, at_, count, what, left());
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  template <class T>
  T number(const char* what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  std::string_view string(const char* what) { return take(number<uint64_t>(what), what); }
  std::string name(const char* what) {
    const auto length = number<uint64_t>(what);
    require(length >= 1 && length <= kNameLimit, "[gguf] {}: at byte {}: expected a {} of 1 to {} bytes, got {}", path_,
            at_, what, kNameLimit, length);
    return std::string(take(length, what));
  }

 private:
  std::string_view bytes_;
  const std::string& path_;
  uint64_t at_ = 0;
};

GgufValue read_gguf_value(GgufCursor& cursor, const std::string& key) {
  GgufValue value;
  auto type = cursor.number<uint32_t>("a type");
  value.is_array = type == uint32_t(GgufType::array);
  if (value.is_array) type = cursor.number<uint32_t>("a type");
  require(type <= uint32_t(GgufType::f64) && type != uint32_t(GgufType::array),
          "[gguf] {}: expected a number, text or an array of them at '{}', got type {}", cursor.path(), key, type);
  value.type = GgufType(type);
  const uint64_t width = gguf_width(value.type);
  if (value.is_array) value.count = cursor.count(width == 0 ? 8 : width, "elements");
  const uint64_t begin = cursor.at();
  if (value.type == GgufType::string) {
    for (uint64_t i = 0; i < value.count; ++i) cursor.string("text");
  } else {
    cursor.take(value.count * width, "a value");
  }
  value.bytes = cursor.since(begin);
  require(
      value.type != GgufType::boolean || value.bytes.find_first_not_of(std::string_view("\0\1", 2)) == value.bytes.npos,
      "[gguf] {}: expected 0 or 1 as booleans at '{}'", cursor.path(), key);
  return value;
}

// All but where it ends; `begin` still counts from where data begins.
GgufFile::Tensor read_gguf_tensor(GgufCursor& cursor, const std::string& name) {
  GgufFile::Tensor tensor;
  const auto dimensions = cursor.number<uint32_t>("dimensions");
  require(dimensions <= 4, "[gguf] {}: tensor {}: expected at most 4 dimensions, got {}", cursor.path(), name,
          dimensions);
  uint64_t values = 1;
  for (uint32_t i = 0; i < dimensions; ++i) {
    const auto extent = cursor.number<uint64_t>("a shape");
    require(extent >= 1 && extent <= kValueLimit / values, "[gguf] {}: tensor {} has an impossible extent, {}",
            cursor.path(), name, extent);
    values *= extent;
    tensor.shape.insert(tensor.shape.begin(), int64_t(extent));
  }
  tensor.gguf_id = cursor.number<uint32_t>("a weight type");
  tensor.format = find_weight_format(tensor.gguf_id);
  tensor.begin = cursor.number<uint64_t>("an offset");
  return tensor;
}

uint64_t bytes_of(const GgufFile::Tensor& tensor) {
  if (tensor.format == nullptr) return 0;
  return uint64_t(tensor.rows() * (tensor.cols() / tensor.format->block) * tensor.format->block_bytes);
}

}  // namespace

int64_t GgufFile::Tensor::rows() const {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

GgufFile::GgufFile(const std::string& path) : path_(path), file_(path), metadata_(path) {
  GgufCursor cursor(file_.bytes(), path_);
  require(cursor.take(std::min<uint64_t>(4, cursor.left()), "magic") == "GGUF",
          "[gguf] {}: expected a file that begins with 'GGUF'", path);
  const auto version = cursor.number<uint32_t>("version");
  require(version == 0 || (version & 0xFFFF) != 0, "[gguf] {} is big-endian; expected a little-endian file", path);
  require(version == 2 || version == 3, "[gguf] {}: expected version 2 or 3, got {}", path, version);
  const uint64_t tensors = cursor.count(25, "tensors"), keys = cursor.count(14, "keys");
  for (uint64_t i = 0; i < keys; ++i) {
    const std::string key = cursor.name("key");
    require(!metadata_.has(key), "[gguf] {}: the key '{}' comes twice", path, key);
    metadata_.put(key, read_gguf_value(cursor, key));
  }
  std::vector<Tensor*> in_order;
  for (uint64_t i = 0; i < tensors; ++i) {
    const std::string name = cursor.name("tensor name");
    const auto [place, is_new] = tensors_.emplace(name, read_gguf_tensor(cursor, name));
    require(is_new, "[gguf] {}: the tensor {} comes twice", path, name);
    const Tensor& tensor = place->second;
    if (tensor.format != nullptr)
      require(tensor.cols() % tensor.format->block == 0,
              "[gguf] {}: tensor {} has rows of {} values, {} takes blocks of {}", path, name, tensor.cols(),
              tensor.format->name, tensor.format->block);
    in_order.push_back(&place->second);
  }
  const uint64_t alignment = metadata_.alignment(), start = (cursor.at() + alignment - 1) / alignment * alignment;
  require(tensors == 0 || start <= file_.bytes().size(),
          "[gguf] {}: expected data from byte {}, the file has {}; it is truncated", path, start, file_.bytes().size());
  const uint64_t room = file_.bytes().size() - start;
  for (auto& [name, tensor] : tensors_) {
    const uint64_t size = bytes_of(tensor);
    require(tensor.begin % alignment == 0 && tensor.begin <= room && size <= room - tensor.begin,
            "[gguf] {}: tensor {} has {} bytes at {} of {}, in steps of {}; the file is truncated or damaged", path,
            name, size, tensor.begin, room, alignment);
    tensor.begin += start, tensor.end = tensor.begin + size;
  }
  std::ranges::sort(in_order, {}, [](const Tensor* tensor) { return std::pair(tensor->begin, tensor->end); });
  for (size_t i = 1; i < in_order.size(); ++i)
    require(in_order[i]->begin >= in_order[i - 1]->end, "[gguf] {}: tensors overlap", path);
  file_.drop(0, start);
}

const GgufFile::Tensor& GgufFile::tensor(const std::string& name) const {
  const auto found = tensors_.find(name);
  require(found != tensors_.end(), "[gguf] {}: there is no tensor {}", path_, name);
  return found->second;
}

const GgufFile::Tensor& GgufFile::readable(const std::string& name) const {
  const Tensor& found = tensor(name);
  require(found.format != nullptr, "[gguf] {}: tensor {} has the unknown type {}", path_, name, found.gguf_id);
  return found;
}

std::span<const std::byte> GgufFile::bytes(const std::string& name) const {
  const Tensor& t = readable(name);
  return file_.bytes().subspan(t.begin, t.end - t.begin);
}

std::span<const std::byte> GgufFile::rows(const std::string& name, int64_t first, int64_t count) const {
  const Tensor& t = readable(name);
  require(first >= 0 && count >= 0 && first <= t.rows() && count <= t.rows() - first,
          "[gguf] {}: tensor {} has {} rows, asked for {} from {}", path_, name, t.rows(), count, first);
  const int64_t row_bytes = t.cols() / t.format->block * t.format->block_bytes;
  return bytes(name).subspan(size_t(first * row_bytes), size_t(count * row_bytes));
}

void GgufFile::drop(const std::string& name, int64_t first, int64_t count) const {
  const auto part = rows(name, first, count);
  const uint64_t begin = uint64_t(part.data() - file_.bytes().data());
  file_.drop(begin, begin + part.size());
}

std::vector<float> GgufFile::read_f32(const std::string& name) const {
  const Tensor& t = readable(name);
  std::vector<float> values(size_t(t.rows() * t.cols()));
  read_rows_f32(name, 0, t.rows(), values.data());
  return values;
}

void GgufFile::read_rows_f32(const std::string& name, int64_t first, int64_t count, float* to) const {
  const WeightFormat& format = *readable(name).format;
  const auto part = rows(name, first, count);
  format.decode(part.data(), int64_t(part.size()) / format.block_bytes, to);
  drop(name, first, count);
}

}  // namespace fude
