// layer: model
// An adapter from a stranger, for a tiny model. The input is adapter_config.json, with the tensors of a good adapter or
// (after a NUL byte) what follows instead of them; or it begins as a GGUF file does, and is one. It is refused with an
// Error, or the model runs with it.
#include "model/lora.h"

#include "base/error.h"
#include "base/json.h"
#include "folder.h"
#include "tensor/safetensors.h"

using namespace fude;

namespace {

// Queries of rank 2, from the file with the family's own names.
std::string good_tensors(const FuzzFolder& folder) {
  const std::string query = "base_model.model.model.layers.0.self_attn.q_proj";
  const auto fill = [](const auto& put) { put(std::vector<float>(8, 0.5f)); };
  write_safetensors(folder / "good",
                    {{query + ".lora_A.weight", {2, 4}, fill}, {query + ".lora_B.weight", {4, 2}, fill}});
  return read_file(folder / "good");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFolder folder;
  static Device device(1);
  static const std::string good = good_tensors(folder);
  static const Transformer model(device, tiny_model());
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const bool is_gguf = bytes.starts_with("GGUF");
  if (is_gguf) {
    write_file(folder / "adapter.gguf", bytes);
  } else {
    const size_t end = bytes.find('\0');
    write_file(folder / "adapter_config.json", bytes.substr(0, end));
    write_file(folder / "adapter_model.safetensors", end == bytes.npos ? good : bytes.substr(end + 1));
  }
  try {
    const auto adapter = load_adapter(model, is_gguf ? folder / "adapter.gguf" : folder.path());
    TokenBatch batch{{1, 2}, {0, 1}, {0, 2}, {{adapter.get(), 0, 1}}};
    BatchKv kv;
    const Pass pass{device, default_kernels()};
    model.logits(pass, model.forward(pass, batch, kv), batch.adapters);
  } catch (const Error&) {}
  return 0;
}
