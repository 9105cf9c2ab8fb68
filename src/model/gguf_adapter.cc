#include "model/gguf_adapter.h"

#include "base/error.h"
#include "model/architecture.h"
#include "model/gguf_layout.h"
#include "tensor/gguf.h"

namespace fude {

std::vector<LoraPair> read_gguf_adapter(const std::string& path, const ModelConfig& config) {
  const auto file = std::make_shared<const GgufFile>(path);
  const GgufFamily& family = gguf_family_of_model(config);
  for (const auto& [key, expected] : {std::pair{"general.type", "adapter"}, std::pair{"adapter.type", "lora"},
                                      std::pair{"general.architecture", family.architecture}}) {
    const std::string_view got = file->metadata().find_string(key).value_or("nothing");
    require(got == expected, "[lora] {}: expected {} {}, got {}", path, key, expected, got);
  }
  require(!file->metadata().has("adapter.alora.invocation_tokens"),
          "[lora] {}: expected an adapter of all tokens, got one of those behind its invocation tokens (aLoRA): it is "
          "not supported",
          path);
  const TensorNames& names = architecture_of(config.family).names;
  const double alpha = file->metadata().number("adapter.lora.alpha");
  std::map<std::string, std::string> own_names;  // of the family's files, by those of GGUF
  for (const auto& [own, gguf] : gguf_names_of(config)) own_names[gguf] = own;

  std::vector<LoraPair> pairs;
  const std::string a_end = ".lora_a", b_end = ".lora_b";
  for (const auto& [name, tensor] : file->tensors()) {
    const bool is_a = name.ends_with(a_end), is_b = name.ends_with(b_end);
    require(is_a || is_b, "[lora] {}: expected tensors that end in .lora_a and .lora_b, got {}", path, name);
    const std::string stem = name.substr(0, name.size() - a_end.size());
    require(file->has(stem + (is_a ? b_end : a_end)), "[lora] {}: expected A and B of {}, got {} alone", path, stem,
            is_a ? "A" : "B");
    if (is_b) continue;
    const auto own = own_names.find(stem);
    require(own != own_names.end(), "[lora] {}: expected tensors of a model of {}, got {}", path, family.architecture,
            name);
    LoraPair pair{own->second, tensor.shape, file->tensor(stem + b_end).shape, {}, {}, 0};
    pair.is_embedding = own->second == names.embedding;
    require(pair.b_shape.size() == 2 && pair.b_shape[1] > 0, "[lora] {}: expected matrices, got {}", path, stem);
    const int64_t rank = pair.b_shape[1];
    pair.scale = alpha == 0 ? 1 : alpha / double(rank);  // as llama.cpp has it
    pair.read_a = [=] { return file->read_f32(stem + a_end); };
    // Its rows are those of the weight, pairs and all.
    pair.read_b = [=, is_paired = has_pairs(family, stem), head = config.head_size, cols = rank] {
      const std::vector<float> values = file->read_f32(stem + b_end);
      return is_paired ? part_pairs(values, head, cols) : values;
    };
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace fude
