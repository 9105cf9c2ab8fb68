// The header is made in memory: it is a vocabulary at most. Tensors are encoded as they come, some blocks at a time.
#include <set>

#include "base/error.h"
#include "tensor/gguf.h"
#include "tensor/weight_encoder.h"

namespace fude {
namespace {

constexpr size_t kLongestName = 63;  // of a tensor, in llama.cpp

uint64_t padding(uint64_t size, uint64_t alignment) { return (alignment - size % alignment) % alignment; }

// Writes the tensor's blocks, and gives how many bytes they are.
uint64_t put_blocks(const GgufOutput& tensor, const WriteOptions& options, const WeightEncoder::Put& put) {
  constexpr size_t kAtOnce = size_t(8) << 20;
  if (!tensor.blocks.empty()) {
    const std::string_view blocks(reinterpret_cast<const char*>(tensor.blocks.data()), tensor.blocks.size());
    for (size_t at = 0; at < blocks.size(); at += kAtOnce) put(blocks.substr(at, kAtOnce));
    return blocks.size();
  }
  WeightEncoder encoder(weight_format(tensor.type), tensor.name, options.threads, put);
  tensor.fill([&](const std::vector<float>& values) { encoder.add(values); });
  return encoder.finish();
}

uint64_t bytes_to_write(const GgufOutput& tensor) {
  const WeightFormat& format = weight_format(tensor.type);
  require(!tensor.name.empty() && tensor.name.size() <= kLongestName,
          "[gguf] expected a tensor's name of 1 to {} bytes, got '{}'", kLongestName, tensor.name);
  require(tensor.shape.size() >= 1 && tensor.shape.size() <= 4, "[gguf] {}: expected 1 to 4 dimensions, got {}",
          tensor.name, tensor.shape.size());
  require(tensor.shape.back() % format.block == 0, "[gguf] {}: {} takes rows of a multiple of {} values, got {}",
          tensor.name, format.name, format.block, tensor.shape.back());
  int64_t blocks = tensor.shape.back() / format.block;
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) blocks *= tensor.shape[i];
  require(blocks > 0, "[gguf] {}: expected a tensor with values", tensor.name);
  return uint64_t(blocks * format.block_bytes);
}

}  // namespace

void write_gguf(const std::string& path, const GgufMetadata& metadata, const std::vector<GgufOutput>& tensors,
                const WriteOptions& options) {
  const uint64_t alignment = metadata.alignment();
  std::string header = "GGUF";
  append_gguf(header, uint32_t(3));
  append_gguf(header, uint64_t(tensors.size()));
  append_gguf(header, uint64_t(metadata.entries().size()));
  for (const auto& [key, value] : metadata.entries()) {
    append_gguf(header, key);
    if (value.is_array) append_gguf(header, uint32_t(GgufType::array));
    append_gguf(header, uint32_t(value.type));
    if (value.is_array) append_gguf(header, value.count);
    header += value.bytes;
  }
  std::set<std::string> names;
  std::vector<uint64_t> sizes;
  uint64_t offset = 0, total = 0, done = 0;
  for (const GgufOutput& tensor : tensors) {
    sizes.push_back(bytes_to_write(tensor));
    require(names.insert(tensor.name).second, "[gguf] {}: the tensor {} comes twice", path, tensor.name);
    append_gguf(header, tensor.name);
    append_gguf(header, uint32_t(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;) append_gguf(header, uint64_t(tensor.shape[i]));
    append_gguf(header, weight_format(tensor.type).gguf_id);
    append_gguf(header, offset);
    total += sizes.back(), offset += sizes.back() + padding(sizes.back(), alignment);
  }
  header.resize(header.size() + padding(header.size(), alignment));
  write_atomically(path, [&](const auto& put) {
    put(header);
    const auto put_weights = [&](std::string_view bytes) {
      put(bytes);
      done += bytes.size();
      if (options.progress) options.progress(int64_t(done), int64_t(total));
    };
    for (size_t i = 0; i < tensors.size(); ++i) {
      const uint64_t written = put_blocks(tensors[i], options, put_weights);
      require(written == sizes[i], "[gguf] {}: expected {} bytes, got {}", tensors[i].name, sizes[i], written);
      put(std::string(padding(written, alignment), '\0'));
    }
  });
}

}  // namespace fude
