// layer: tensor
// A safetensors file from a stranger: refused with an Error, or every tensor can be read, and what was read
// as numbers is the same after it was written and read again.
#include "tensor/safetensors.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "folder.h"

using namespace fude;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFolder folder;
  const std::string path = folder / "given", again = folder / "again";
  write_file(path, {reinterpret_cast<const char*>(data), size});
  std::optional<SafetensorsFile> file;
  try {
    file.emplace(path);
  } catch (const Error&) { return 0; }
  // From here on an Error is a finding.
  std::vector<SafetensorsOutput> outputs;
  int64_t room = 0;  // of the copy
  for (const auto& [name, entry] : file->entries()) {
    if (entry.begin > entry.end || entry.end > size) __builtin_trap();
    if (entry.dtype == "I32" && file->read_i32(name).size() != size_t(entry.size())) __builtin_trap();
    if (entry.dtype != "F32" && entry.dtype != "BF16" && entry.dtype != "F16") continue;
    outputs.push_back({name, entry.shape, [&file, name = name](const auto& put) { put(file->read_f32(name)); }});
    room += 4 * entry.size();
  }
  // No extent may be larger than a file, also those of tensors without elements, and the copy is smaller.
  std::erase_if(outputs, [&](const SafetensorsOutput& output) {
    return std::ranges::any_of(output.shape, [&](int64_t extent) { return extent > room; });
  });
  write_safetensors(again, outputs);
  const SafetensorsFile copy(again);
  if (copy.entries().size() != outputs.size()) __builtin_trap();
  for (const SafetensorsOutput& output : outputs) {
    const std::vector<float> values = file->read_f32(output.name), read = copy.read_f32(output.name);
    if (copy.entry(output.name).shape != output.shape || values.size() != read.size()) __builtin_trap();
    if (!values.empty() && std::memcmp(values.data(), read.data(), values.size() * 4) != 0) __builtin_trap();
  }
  return 0;
}
