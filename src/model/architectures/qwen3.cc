// Qwen3 dense: Llama's shape with normalised queries and keys and a head size of its own.
#include "base/error.h"
#include "model/architectures/llama_like.h"

namespace fude {

const Architecture& qwen3_architecture() {
  static const Architecture architecture{"qwen3",
                                         [](const Json& json) {
                                           ModelConfig c = read_llama_like(json, "qwen3");
                                           require(!json_boolean(json, "use_sliding_window", "config.json", false),
                                                   "[config.json] use_sliding_window is not supported");
                                           c.head_size = json_integer(json, "head_dim", "config.json", 128);
                                           c.has_qk_norm = true;
                                           return c;
                                         },
                                         [](const ModelConfig& c) {
                                           Json json = write_llama_like(c, "Qwen3ForCausalLM");
                                           json["use_sliding_window"] = false;
                                           return json;
                                         },
                                         llama_like_names(), kLlamaEps};
  return architecture;
}

}  // namespace fude
