#include "model/architecture.h"

#include "base/error.h"

namespace fude {

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
