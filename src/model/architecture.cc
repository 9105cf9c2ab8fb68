#include "model/architecture.h"

#include "base/error.h"

namespace fude {

std::string name_in_layer(const std::string& pattern, int64_t layer) {
  const size_t hole = pattern.find("{}");
  return hole == std::string::npos ? pattern
                                   : pattern.substr(0, hole) + std::to_string(layer) + pattern.substr(hole + 2);
}

std::string bias_of(const std::string& weight) { return weight.substr(0, weight.rfind("weight")) + "bias"; }

const std::vector<const Architecture*>& architectures() {
  static const std::vector<const Architecture*> all = {&qwen3_architecture(), &llama_architecture(),
                                                       &gpt2_architecture(), &qwen2_architecture(),
                                                       &gemma3_architecture()};
  return all;
}

const Architecture& architecture_of(const std::string& family) {
  std::string known;
  for (const Architecture* a : architectures()) {
    if (family == a->family) return *a;
    known += (known.empty() ? "" : ", ") + std::string(a->family);
  }
  fail("[config.json] model_type '{}' is not known; expected one of {}", family, known);
}

}  // namespace fude
