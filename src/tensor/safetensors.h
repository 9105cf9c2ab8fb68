// The safetensors format: an 8-byte little-endian header length, a JSON header {name: {dtype, shape, data_offsets}},
// then the bytes. The reader maps the file and trusts no size or offset; the writer is atomic.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "tensor/format.h"
#include "tensor/write_options.h"

namespace fude {

class SafetensorsFile {
 public:
  struct Entry {
    std::string dtype;  // "F32", "BF16", "F16", "I32", …
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0;  // within the file

    int64_t size() const;
  };

  // Error if the file is not whole, names a tensor twice, or has tensors that overlap or leave the file.
  explicit SafetensorsFile(const std::string& path);

  const std::map<std::string, Entry>& entries() const { return entries_; }
  bool has(const std::string& name) const { return entries_.contains(name); }
  // Error if there is no such tensor.
  const Entry& entry(const std::string& name) const;
  // F32, BF16 or F16; Error if the values lie in another type.
  const WeightFormat& format(const std::string& name) const;
  // Rows, the first extent, as they lie in the file.
  std::span<const std::byte> rows(const std::string& name, int64_t first, int64_t count) const;
  // Lets go of the memory that holds them; they are read again when asked for.
  void drop(const std::string& name, int64_t first, int64_t count) const;
  // The values as f32, from F32, BF16 or F16; the mapped pages are dropped afterwards.
  std::vector<float> read_f32(const std::string& name) const;
  std::vector<int32_t> read_i32(const std::string& name) const;

 private:
  std::string path_;
  MappedFile file_;
  std::map<std::string, Entry> entries_;
};

// A tensor to write: when its turn comes, `fill` puts its values, row-major, in as many pieces as it likes.
struct SafetensorsOutput {
  using Put = std::function<void(const std::vector<float>&)>;
  std::string name;
  std::vector<int64_t> shape;
  std::function<void(const Put&)> fill;
  WeightType type = WeightType::f32;  // or f16, bf16
};

// Writes the tensors with {"format": "pt"} as metadata (transformers asks for it).
void write_safetensors(const std::string& path, const std::vector<SafetensorsOutput>& tensors,
                       const WriteOptions& options = {});

}  // namespace fude
