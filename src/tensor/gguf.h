// GGUF, the files of llama.cpp: metadata and weights in one. Little-endian:
//
//   "GGUF" | version u32 | tensors u64 | keys u64
//   for each key:     its name | type u32 | value; an array is its element type u32 | count u64 | elements
//   for each tensor:  its name | dimensions u32 | each extent u64 | weight type u32 | offset u64 in the data
//   zeros up to a multiple of the alignment; data, every tensor at a multiple of it
//
// Names are strings: length u64 | bytes. Versions 2 and 3 are read (they differ only in that 3 may be big-endian, which
// is refused), 3 is written. The reader maps the file and trusts no size or offset; the writer is atomic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "tensor/format.h"
#include "tensor/gguf_metadata.h"
#include "tensor/write_options.h"

namespace fude {

class GgufFile {
 public:
  struct Tensor {
    std::vector<int64_t> shape;  // row-major, the extent that lies together last: the reverse of what the file says
    uint32_t gguf_id = 0;
    const WeightFormat* format = nullptr;  // none: a type that cannot be read here
    uint64_t begin = 0, end = 0;           // within the file; of no length without a format

    int64_t cols() const { return shape.empty() ? 1 : shape.back(); }
    int64_t rows() const;
  };

  // Error if the file is not whole, names a key or a tensor twice, or has tensors that overlap or leave the file.
  explicit GgufFile(const std::string& path);

  const std::string& path() const { return path_; }
  const GgufMetadata& metadata() const { return metadata_; }
  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  bool has(const std::string& name) const { return tensors_.contains(name); }
  // Error if there is no such tensor.
  const Tensor& tensor(const std::string& name) const;

  // The blocks as they lie in the file. Error, here and below, if the tensor's type cannot be read.
  std::span<const std::byte> bytes(const std::string& name) const;
  // Those of some rows. Rows are all but the last dimension.
  std::span<const std::byte> rows(const std::string& name, int64_t first, int64_t count) const;
  // Lets go of the memory that holds them; they are read again when asked for.
  void drop(const std::string& name, int64_t first, int64_t count) const;
  // The values as f32; the mapped pages are dropped afterwards.
  std::vector<float> read_f32(const std::string& name) const;
  void read_rows_f32(const std::string& name, int64_t first, int64_t count, float* to) const;

 private:
  const Tensor& readable(const std::string& name) const;

  std::string path_;
  MappedFile file_;
  GgufMetadata metadata_;
  std::map<std::string, Tensor> tensors_;
};

// A tensor to write: when its turn comes, `fill` puts its values, row-major, in as many pieces as it likes. Or it is
// there already, encoded in another file.
struct GgufOutput {
  using Put = std::function<void(const std::vector<float>&)>;
  std::string name;
  std::vector<int64_t> shape;  // row-major; whole blocks in the last dimension
  WeightType type;
  std::function<void(const Put&)> fill;
  std::span<const std::byte> blocks = {};  // of that type, written as they are; `fill` is not asked then
};

void write_gguf(const std::string& path, const GgufMetadata& metadata, const std::vector<GgufOutput>& tensors,
                const WriteOptions& options = {});

}  // namespace fude
