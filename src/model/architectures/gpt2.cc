// GPT-2: LayerNorm, learned positions, GELU, biases everywhere; weights stored as [in, out], but for a head of its own.
#include "base/error.h"
#include "base/json.h"
#include "model/architecture.h"

namespace fude {
namespace {

constexpr double kGpt2Eps = 1e-5;

ModelConfig read(const Json& json) {
  constexpr const char* kWhere = "config.json";
  ModelConfig c;
  c.family = "gpt2";
  c.vocabulary = json_integer(json, "vocab_size", kWhere, 50257);
  c.width = json_integer(json, "n_embd", kWhere, 768);
  c.layers = json_integer(json, "n_layer", kWhere, 12);
  c.heads = c.kv_heads = json_integer(json, "n_head", kWhere, 12);
  require(c.width > 0 && c.width < 1 << 24 && c.heads > 0 && c.width % c.heads == 0,
          "[config.json] n_embd ({}) must be a multiple of n_head ({})", c.width, c.heads);
  c.head_size = c.width / c.heads;
  c.feed_forward = json_integer(json, "n_inner", kWhere, 4 * c.width);
  c.context = json_integer(json, "n_positions", kWhere, 1024);
  c.norm_eps = json_number(json, "layer_norm_epsilon", kWhere, kGpt2Eps);
  const std::string activation = json_string(json, "activation_function", kWhere, "gelu_new");
  require(activation == "gelu_new", "[config.json] activation_function '{}' is not supported; expected gelu_new",
          activation);
  for (const auto& [key, expected] :
       {std::pair{"scale_attn_weights", true}, std::pair{"scale_attn_by_inverse_layer_idx", false}})
    require(json_boolean(json, key, kWhere, expected) == expected, "[config.json] {} is not supported; expected {}",
            key, expected);
  c.norm = NormKind::layer;
  c.mlp = MlpKind::gelu;
  c.has_rope = c.has_qk_norm = false;
  c.ties_head = json_boolean(json, "tie_word_embeddings", kWhere, true);
  return c;
}

Json write(const ModelConfig& c) {
  Json json;
  json["architectures"] = {"GPT2LMHeadModel"};
  json["model_type"] = "gpt2";
  json["vocab_size"] = c.vocabulary;
  json["n_embd"] = c.width;
  json["n_layer"] = c.layers;
  json["n_head"] = c.heads;
  json["n_inner"] = c.feed_forward;
  json["n_positions"] = c.context;
  json["layer_norm_epsilon"] = c.norm_eps;
  json["activation_function"] = "gelu_new";
  json["tie_word_embeddings"] = c.ties_head;
  json["resid_pdrop"] = json["embd_pdrop"] = json["attn_pdrop"] = 0.0;
  json["dtype"] = "float32";
  json["torch_dtype"] = "float32";
  return json;
}

TensorNames names() {
  TensorNames n;
  n.embedding = "transformer.wte.weight";
  n.positions = "transformer.wpe.weight";
  n.final_norm = "transformer.ln_f.weight";
  n.head = "lm_head.weight";
  const std::string layer = "transformer.h.{}.";
  n.attention_norm = layer + "ln_1.weight";
  n.mlp_norm = layer + "ln_2.weight";
  n.qkv = {layer + "attn.c_attn.weight"};
  n.out = layer + "attn.c_proj.weight";
  n.up = {layer + "mlp.c_fc.weight"};
  n.down = layer + "mlp.c_proj.weight";
  n.weights_are_transposed = true;
  n.qkv_has_bias = n.others_have_bias = true;
  return n;
}

}  // namespace

const Architecture& gpt2_architecture() {
  static const Architecture architecture{"gpt2", read, write, names(), kGpt2Eps};
  return architecture;
}

}  // namespace fude
