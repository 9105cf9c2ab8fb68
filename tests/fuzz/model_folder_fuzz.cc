// layer: model
// A model folder from a stranger. The input is config.json; the weights beside it are a tiny model's, in two
// files with an index, or (after a NUL byte in the input) what follows instead of the index. A configuration
// that is accepted is the same after it was written and read again, and the folder is a model or an Error.
#include "model/folder.h"
#include "model/load.h"

#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "folder.h"
#include "model/architecture.h"
#include "tensor/safetensors.h"

using namespace fude;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFolder folder;
  static Device device(1);
  static const std::string index = [] {
    save_model(Transformer(device, tiny_model()), folder.path());
    Json map = Json::object();
    const SafetensorsFile file(folder / "model.safetensors");
    for (const auto& [name, entry] : file.entries()) map[name] = "model.safetensors";
    return Json{{"weight_map", map}}.dump();
  }();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t end = bytes.find('\0');
  const bool has_index = end != bytes.npos;
  write_file(folder / "config.json", bytes.substr(0, end));
  write_file(folder / "model.safetensors.index.json", has_index ? bytes.substr(end + 1) : index);
  std::optional<ModelConfig> config;
  try {
    config = read_config(folder.path());
  } catch (const Error&) { return 0; }
  // An Error of what was written is a finding.
  write_file(folder / "config.json", architecture_of(config->family).write(*config).dump());
  if (read_config(folder.path()) != *config) __builtin_trap();
  try {
    const auto model = load_model(device, folder.path());
    if (model->config() != *config) __builtin_trap();
  } catch (const Error&) {}  // the tensors are others than it says
  return 0;
}
