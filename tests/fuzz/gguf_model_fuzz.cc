// layer: model
// A GGUF file from a stranger that says it is a model: it is one, or an Error. The configuration of one is the same
// after it was written as config.json and read again.
#include "base/error.h"
#include "base/json.h"
#include "folder.h"
#include "model/architecture.h"
#include "model/gguf_model.h"
#include "model/load.h"

using namespace fude;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFolder folder;
  static Device device(1);
  const std::string path = folder / "model.gguf";
  write_file(path, {reinterpret_cast<const char*>(data), size});
  std::optional<ModelConfig> config;
  try {
    config = config_of_gguf(GgufFile(path));
  } catch (const Error&) { return 0; }
  const Architecture& family = architecture_of(config->family);
  if (family.read(family.write(*config)) != *config) __builtin_trap();
  try {
    GgufMetadata metadata;
    put_config(*config, metadata);  // reads it again, and compares
  } catch (const Error&) {}
  if (config->layers > 4 || config->context * config->head_size > 1 << 16) return 0;  // would be slow
  try {
    load_model(device, path);
  } catch (const Error&) {}
  return 0;
}
