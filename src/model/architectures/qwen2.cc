// Qwen2 and Qwen2.5 dense: Llama's shape with biases at queries, keys and values.
#include "base/error.h"
#include "model/architectures/llama_like.h"

namespace fude {
namespace {

TensorNames qwen2_names() {
  TensorNames n = llama_like_names();
  n.qkv_has_bias = true;
  return n;
}

}  // namespace

const Architecture& qwen2_architecture() {
  static const Architecture architecture{"qwen2",
                                         [](const Json& json) {
                                           ModelConfig c = read_llama_like(json, "qwen2");
                                           require(!json_boolean(json, "use_sliding_window", "config.json", false),
                                                   "[config.json] use_sliding_window is not supported");
                                           return c;
                                         },
                                         [](const ModelConfig& c) {
                                           Json json = write_llama_like(c, "Qwen2ForCausalLM");
                                           json.erase("attention_bias");
                                           json["use_sliding_window"] = false;
                                           return json;
                                         },
                                         qwen2_names(), kLlamaEps};
  return architecture;
}

}  // namespace fude
