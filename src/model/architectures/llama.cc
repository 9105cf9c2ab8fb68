// Llama 2 and 3, SmolLM2: RMSNorm, RoPE (scaled in Llama 3.1 and later), grouped queries, SwiGLU.
#include "base/error.h"
#include "model/architectures/llama_like.h"

namespace fude {

ModelConfig read_llama_like(const Json& json, const char* family) {
  constexpr const char* kWhere = "config.json";
  ModelConfig c;
  c.family = family;
  c.vocabulary = json_integer(json, "vocab_size", kWhere);
  c.width = json_integer(json, "hidden_size", kWhere);
  c.layers = json_integer(json, "num_hidden_layers", kWhere);
  c.heads = json_integer(json, "num_attention_heads", kWhere);
  c.kv_heads = json_integer(json, "num_key_value_heads", kWhere, c.heads);
  require(c.heads > 0, "[config.json] num_attention_heads must be positive");
  c.head_size = json_integer(json, "head_dim", kWhere, c.width / c.heads);
  c.feed_forward = json_integer(json, "intermediate_size", kWhere);
  c.context = json_integer(json, "max_position_embeddings", kWhere, 2048);
  c.norm_eps = json_number(json, "rms_norm_eps", kWhere, kLlamaEps);
  c.rope = read_rope(json);
  require(json_number(json, "partial_rotary_factor", kWhere, 1) == 1,
          "[config.json] partial_rotary_factor is not supported");
  const std::string activation = json_string(json, "hidden_act", kWhere, "silu");
  require(activation == "silu", "[config.json] hidden_act '{}' is not supported; expected silu", activation);
  for (const char* bias : {"attention_bias", "mlp_bias"})
    require(!json_boolean(json, bias, kWhere, false), "[config.json] {} is not supported", bias);
  c.has_qk_norm = false;
  c.ties_head = json_boolean(json, "tie_word_embeddings", kWhere, false);
  return c;
}

Json write_llama_like(const ModelConfig& c, const char* architecture) {
  Json json;
  json["architectures"] = {architecture};
  json["model_type"] = c.family;
  json["vocab_size"] = c.vocabulary;
  json["hidden_size"] = c.width;
  json["num_hidden_layers"] = c.layers;
  json["num_attention_heads"] = c.heads;
  json["num_key_value_heads"] = c.kv_heads;
  json["head_dim"] = c.head_size;
  json["intermediate_size"] = c.feed_forward;
  json["max_position_embeddings"] = c.context;
  json["hidden_act"] = "silu";
  json["rms_norm_eps"] = c.norm_eps;
  write_rope(c.rope, json);
  json["attention_bias"] = false;
  json["tie_word_embeddings"] = c.ties_head;
  json["dtype"] = "float32";
  json["torch_dtype"] = "float32";
  return json;
}

TensorNames llama_like_names() {
  TensorNames n;
  n.embedding = "model.embed_tokens.weight";
  n.final_norm = "model.norm.weight";
  n.head = "lm_head.weight";
  const std::string layer = "model.layers.{}.";
  n.attention_norm = layer + "input_layernorm.weight";
  n.mlp_norm = layer + "post_attention_layernorm.weight";
  n.q_norm = layer + "self_attn.q_norm.weight";
  n.k_norm = layer + "self_attn.k_norm.weight";
  n.qkv = {layer + "self_attn.q_proj.weight", layer + "self_attn.k_proj.weight", layer + "self_attn.v_proj.weight"};
  n.out = layer + "self_attn.o_proj.weight";
  n.up = {layer + "mlp.gate_proj.weight", layer + "mlp.up_proj.weight"};
  n.down = layer + "mlp.down_proj.weight";
  return n;
}

const Architecture& llama_architecture() {
  static const Architecture architecture{"llama", [](const Json& json) { return read_llama_like(json, "llama"); },
                                         [](const ModelConfig& c) { return write_llama_like(c, "LlamaForCausalLM"); },
                                         llama_like_names(), kLlamaEps};
  return architecture;
}

}  // namespace fude
