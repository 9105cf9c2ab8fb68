// layer: tensor
// A GGUF file from a stranger: refused with an Error, or all it says can be asked for and every tensor of a known type
// read; and what was read is the same after it was written and read again.
#include "tensor/gguf.h"

#include <cstring>
#include <optional>

#include "base/error.h"
#include "folder.h"

using namespace fude;

namespace {

// Of the element type the right accessor gives what is there, and the wrong ones refuse.
size_t count_of(const GgufMetadata& metadata, const std::string& key, GgufType type) {
  try {
    metadata.integers(key);
    metadata.find_integer(key);
    metadata.find_boolean(key);
  } catch (const Error&) {}
  if (type == GgufType::string) return metadata.strings(key).size();
  if (type == GgufType::boolean) return metadata.booleans(key).size();
  return metadata.numbers(key).size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFolder folder;
  const std::string path = folder / "given", again = folder / "again";
  write_file(path, {reinterpret_cast<const char*>(data), size});
  std::optional<GgufFile> file;
  try {
    file.emplace(path);
  } catch (const Error&) { return 0; }
  // From here on an Error is a finding.
  for (const auto& [key, value] : file->metadata().entries())
    if (count_of(file->metadata(), key, value.type) != value.count) __builtin_trap();
  std::vector<GgufOutput> outputs;
  for (const auto& [name, tensor] : file->tensors()) {
    if (tensor.begin > tensor.end || tensor.end > size) __builtin_trap();
    if (tensor.format == nullptr) continue;
    const std::vector<float> values = file->read_f32(name);
    if (int64_t(values.size()) != tensor.rows() * tensor.cols()) __builtin_trap();
    if (file->bytes(name).size() != tensor.end - tensor.begin) __builtin_trap();
    if (name.size() <= 63 && !tensor.shape.empty())
      outputs.push_back({name, tensor.shape, WeightType::f32, [values](const auto& put) { put(values); }});
  }
  write_gguf(again, file->metadata(), outputs);
  const GgufFile copy(again);
  if (copy.tensors().size() != outputs.size()) __builtin_trap();
  if (copy.metadata().entries().size() != file->metadata().entries().size()) __builtin_trap();
  for (const GgufOutput& output : outputs) {
    const std::string& name = output.name;
    const std::vector<float> values = file->read_f32(name), read = copy.read_f32(name);
    if (copy.tensor(name).shape != output.shape || values.size() != read.size()) __builtin_trap();
    if (std::memcmp(values.data(), read.data(), values.size() * 4) != 0) __builtin_trap();
  }
  return 0;
}
