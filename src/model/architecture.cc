#include "model/architecture.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/json.h"

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

std::vector<std::string> families_of_new_models() {
  std::vector<std::string> families;
  for (const Architecture* a : architectures())
    if (a->norm_eps > 0) families.push_back(a->family);
  return families;
}

ModelConfig new_config(const std::string& family, ModelConfig wanted) {
  const Architecture& architecture = architecture_of(family);
  require(architecture.norm_eps > 0, "[model] expected a family that is begun with random weights ({}), got {}",
          fmt::join(families_of_new_models(), ", "), family);
  wanted.family = family, wanted.norm_eps = architecture.norm_eps;
  return architecture.read(architecture.write(wanted));  // a file says no more than what the family leaves open
}

}  // namespace fude
