// Gemma 3, the text models, alone or within one that sees: norms before and behind attention and MLP, weights of norms
// stored less one, QK-norm, GeGLU, scaled embeddings; most layers see a window only and turn by a base of their own,
// every sixth sees everything.
#include <cmath>

#include "base/error.h"
#include "model/architectures/llama_like.h"

namespace fude {
namespace {

constexpr const char* kGemma3Place = "config.json";
constexpr const char *kLocal = "sliding_attention", *kGlobal = "full_attention";

std::vector<bool> read_layer_types(const Json& json, int64_t layers) {
  std::vector<bool> is_local;
  const auto types = json.find("layer_types");
  if (types != json.end() && types->is_array()) {
    for (const Json& type : *types) {
      require(type == kLocal || type == kGlobal, "[config.json] layer_types: expected {} or {}, got {}", kLocal,
              kGlobal, type.dump());
      is_local.push_back(type == kLocal);
    }
  } else {
    const int64_t every = json_integer(json, "sliding_window_pattern", kGemma3Place, 6);
    require(every > 0 && layers > 0 && layers <= 1000,
            "[config.json] expected a positive sliding_window_pattern and 1 to 1000 layers, got {} and {}", every,
            layers);
    for (int64_t layer = 1; layer <= layers; ++layer) is_local.push_back(layer % every != 0);
  }
  return is_local;
}

// transformers 5 has parameters per type of layer, 4 two bases and a scaling of the global layers.
void read_ropes(const Json& json, ModelConfig& c) {
  const double local_base = json_number(json, "rope_local_base_freq", kGemma3Place, 10000);
  c.rope = RopeConfig{.base = 1e6}, c.local_rope = RopeConfig{.base = local_base};
  const auto parameters = json.find("rope_parameters");
  if (parameters == json.end() || !parameters->is_object() || !parameters->contains(kGlobal)) {
    c.rope = read_rope(json, 1e6);
    return;
  }
  for (const auto& [key, rope] : {std::pair{kGlobal, &c.rope}, std::pair{kLocal, &c.local_rope}})
    if (const auto found = parameters->find(key); found != parameters->end() && found->is_object())
      *rope = rope_from_json(*found, rope->base, c.context);
}

ModelConfig read_gemma3(const Json& json) {
  Json common = json;
  common["hidden_act"] = "silu";  // spelled otherwise, and read below
  common.erase("rope_parameters"), common.erase("rope_scaling");
  // What the published files of models that see leave out, as transformers has it.
  for (const auto& [key, value] :
       {std::pair{"vocab_size", 262208}, {"num_attention_heads", 8}, {"num_key_value_heads", 4}})
    if (!common.contains(key)) common[key] = value;
  ModelConfig c = read_llama_like(common, "gemma3_text");
  const std::string activation = json_string(json, "hidden_activation", kGemma3Place, "gelu_pytorch_tanh");
  require(activation == "gelu_pytorch_tanh", "[config.json] hidden_activation '{}' is not supported", activation);
  for (const char* cap : {"final_logit_softcapping", "attn_logit_softcapping"})
    require(!json.contains(cap) || json[cap].is_null(), "[config.json] {} is not supported", cap);
  require(!json_boolean(json, "use_bidirectional_attention", kGemma3Place, false),
          "[config.json] use_bidirectional_attention is not supported");
  c.head_size = json_integer(json, "head_dim", kGemma3Place, 256);
  c.context = json_integer(json, "max_position_embeddings", kGemma3Place, 131072);
  c.ties_head = json_boolean(json, "tie_word_embeddings", kGemma3Place, true);
  c.mlp = MlpKind::gelu_gated;
  c.has_qk_norm = c.has_post_norms = true;
  c.is_local_L = read_layer_types(json, c.layers);
  c.window = json_integer(json, "sliding_window", kGemma3Place, 4096);
  const double scalar = json_number(json, "query_pre_attn_scalar", kGemma3Place, 256);
  require(scalar > 0, "[config.json] query_pre_attn_scalar must be positive, got {}", scalar);
  c.attention_scale = 1 / std::sqrt(scalar);
  c.embedding_scale = std::sqrt(double(c.width));
  read_ropes(json, c);
  return c;
}

// The number whose root the scores are divided by, mostly a whole one, so that reading it gives the same scale again.
double scalar_of(double attention_scale) {
  const double near = 1 / (attention_scale * attention_scale);
  for (const double scalar : {std::round(near), near, std::nextafter(near, 0.0), std::nextafter(near, 1e12)})
    if (1 / std::sqrt(scalar) == attention_scale) return scalar;
  return near;
}

Json write_gemma3(const ModelConfig& c) {
  Json json = write_llama_like(c, "Gemma3ForCausalLM");
  json.erase("hidden_act");
  json["hidden_activation"] = "gelu_pytorch_tanh";
  const double scalar = scalar_of(c.attention_scale);
  json["query_pre_attn_scalar"] = scalar;
  if (scalar == std::floor(scalar) && scalar < 0x1p53)
    json["query_pre_attn_scalar"] = int64_t(scalar);  // transformers 5 takes no other
  json["sliding_window"] = c.window;
  json["layer_types"] = Json::array();  // empty: none is local
  for (const bool is_local : c.is_local_L) json["layer_types"].push_back(is_local ? kLocal : kGlobal);
  json["rope_local_base_freq"] = c.local_rope.base;
  json["rope_parameters"] = Json::object();
  for (const auto& [key, rope] : {std::pair{kGlobal, &c.rope}, std::pair{kLocal, &c.local_rope}}) {
    json["rope_parameters"][key] = rope_to_json(*rope);
    json["rope_parameters"][key]["rope_theta"] = rope->base;
  }
  return json;
}

TensorNames gemma3_names() {
  TensorNames n = llama_like_names();
  const std::string layer = "model.layers.{}.";
  n.post_attention_norm = layer + "post_attention_layernorm.weight";
  n.mlp_norm = layer + "pre_feedforward_layernorm.weight";
  n.post_mlp_norm = layer + "post_feedforward_layernorm.weight";
  n.norms_are_less_one = true;
  return n;
}

}  // namespace

const Architecture& gemma3_architecture() {
  static const Architecture architecture{"gemma3_text", read_gemma3, write_gemma3, gemma3_names()};
  return architecture;
}

}  // namespace fude
