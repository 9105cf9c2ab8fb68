#include "model/gguf_config.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/json.h"
#include "model/architecture.h"
#include "model/gguf_layout.h"
#include "model/rope.h"

namespace fude {
namespace {

// Files have floats: what was 1e-6 is 1e-6 again, not 9.99999997e-7.
double shortest(double number) { return std::stod(fmt::format("{}", float(number))); }

// Keys below "llama." and the like.
struct Keys {
  const GgufMetadata& metadata;
  std::string prefix;

  int64_t integer(const char* key) const { return metadata.integer(prefix + key); }
  std::optional<int64_t> find_integer(const char* key) const { return metadata.find_integer(prefix + key); }
  std::optional<double> find_number(const char* key) const {
    const auto number = metadata.find_number(prefix + key);
    return number ? std::optional(shortest(*number)) : number;
  }
  // One number for all layers.
  std::optional<int64_t> find_same(const char* key) const {
    if (!metadata.has(prefix + key)) return {};
    const std::vector<int64_t> all = metadata.integers(prefix + key);
    require(!all.empty() && std::all_of(all.begin(), all.end(), [&](int64_t x) { return x == all[0]; }),
            "[gguf] {}{}: layers that differ are not supported", prefix, key);
    return all[0];
  }
};

// Llama 3.1 and later carry what each frequency is divided by, not the recipe. Its factor is the largest divisor, its
// original context follows from any pair between the low and the high frequencies.
Json llama3_scaling(const std::vector<float>& divisors, double base, int64_t head_size) {
  require(int64_t(divisors.size()) == head_size / 2, "[gguf] rope_freqs.weight: expected {} numbers, got {}",
          head_size / 2, divisors.size());
  RopeConfig rope{.base = base, .scaling = RopeScaling::llama3, .original_context = 8192};
  rope.factor = *std::max_element(divisors.begin(), divisors.end());
  check(rope);
  const std::vector<double> plain = rope_frequencies(RopeConfig{.base = base}, head_size);
  for (size_t i = 0; i < divisors.size(); ++i) {
    const double kept = (rope.factor / double(divisors[i]) - 1) / (rope.factor - 1);
    if (!(kept > 0.001 && kept < 0.999)) continue;
    const double turns = rope.low_factor + kept * (rope.high_factor - rope.low_factor);
    rope.original_context = std::llround(turns * 2 * std::numbers::pi / plain[i]);
    break;
  }
  check(rope);
  const std::vector<double> scaled = rope_frequencies(rope, head_size);
  for (size_t i = 0; i < divisors.size(); ++i)
    require(std::abs(plain[i] / scaled[i] - double(divisors[i])) < 1e-3 * double(divisors[i]),
            "[gguf] rope_freqs.weight is not the scaling of Llama 3");
  return rope_to_json(rope);
}

// What YaRN's scores are multiplied by; a file's attn_factor comes on top of it.
double usual_attention_factor(double factor) { return factor <= 1 ? 1 : 0.1 * std::log(factor) + 1; }

void put_rope(const GgufFacts& facts, const Keys& keys, int64_t head_size, Json& json) {
  const double base = keys.find_number("rope.freq_base").value_or(10000);
  json["rope_theta"] = base;
  if (const auto turned = keys.find_integer("rope.dimension_count"))
    require(*turned == head_size, "[gguf] {}rope.dimension_count: expected the head size {}, got {}", keys.prefix,
            head_size, *turned);
  const std::string_view type = keys.metadata.find_string(keys.prefix + "rope.scaling.type").value_or("none");
  if (!facts.rope_divisors.empty()) {
    json["rope_scaling"] = llama3_scaling(facts.rope_divisors, base, head_size);
  } else if (const double linear = keys.find_number("rope.scale_linear").value_or(1); type == "none" && linear != 1) {
    json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", linear}};  // as older files say it
  } else if (type != "none") {
    Json& scaling = json["rope_scaling"] = {{"rope_type", type}};
    for (const auto& [key, name] : {std::pair{"rope.scaling.factor", "factor"},
                                    {"rope.scaling.yarn_beta_fast", "beta_fast"},
                                    {"rope.scaling.yarn_beta_slow", "beta_slow"}})
      if (const auto value = keys.find_number(key)) scaling[name] = *value;
    if (const auto context = keys.find_integer("rope.scaling.original_context_length"))
      scaling["original_max_position_embeddings"] = *context;
    const double usual = usual_attention_factor(keys.find_number("rope.scaling.factor").value_or(1));
    if (const auto part = keys.find_number("rope.scaling.attn_factor")) scaling["attention_factor"] = usual * *part;
    // llama.cpp's converter takes them from config.json, but not every family reads them there: they are taken where
    // that makes no difference.
    for (const auto& [key, plain] :
         {std::pair{"rope.scaling.yarn_attn_factor", shortest(usual)}, {"rope.scaling.yarn_ext_factor", 1.0}}) {
      const double got = keys.find_number(key).value_or(plain);
      require(got == plain, "[gguf] {}{}: expected {}, got {}: it is not supported", keys.prefix, key, plain, got);
    }
  }
}

Json gpt2_json(const Keys& keys) {
  return {{"n_embd", keys.integer("embedding_length")},
          {"n_layer", keys.integer("block_count")},
          {"n_head", keys.integer("attention.head_count")},
          {"n_inner", keys.integer("feed_forward_length")},
          {"n_positions", keys.integer("context_length")},
          {"layer_norm_epsilon", keys.find_number("attention.layer_norm_epsilon").value_or(1e-5)}};
}

Json llama_like_json(const GgufFacts& facts, const Keys& keys) {
  const int64_t width = keys.integer("embedding_length"), heads = keys.find_same("attention.head_count").value_or(0);
  require(heads > 0, "[gguf] {}attention.head_count must be positive, got {}", keys.prefix, heads);
  const int64_t head_size = keys.find_integer("attention.key_length").value_or(width / heads);
  require(keys.find_integer("attention.value_length").value_or(head_size) == head_size,
          "[gguf] {}attention.value_length: expected as many as of keys, {}", keys.prefix, head_size);
  require(keys.find_integer("expert_count").value_or(0) == 0, "[gguf] mixtures of experts are not supported");
  Json json = {{"hidden_size", width},
               {"num_hidden_layers", keys.integer("block_count")},
               {"num_attention_heads", heads},
               {"num_key_value_heads", keys.find_same("attention.head_count_kv").value_or(heads)},
               {"head_dim", head_size},
               {"intermediate_size", keys.find_same("feed_forward_length").value_or(0)},
               {"max_position_embeddings", keys.integer("context_length")},
               {"rms_norm_eps", keys.find_number("attention.layer_norm_rms_epsilon").value_or(1e-6)}};
  put_rope(facts, keys, head_size, json);
  return json;
}

// Every sixth layer is global unless the file says otherwise; the scores' scale, of which it says nothing, follows from
// the head size but in the largest model.
void put_gemma3(const Keys& keys, Json& json) {
  const int64_t layers = json["num_hidden_layers"], width = json["hidden_size"], heads = json["num_attention_heads"];
  json["sliding_window"] = keys.integer("attention.sliding_window");
  if (const auto every = keys.find_integer("attention.sliding_window_pattern")) json["sliding_window_pattern"] = *every;
  if (const auto cap = keys.find_number("final_logit_softcapping"); cap && *cap != 0)
    json["final_logit_softcapping"] = *cap;
  if (const auto base = keys.find_number("rope.freq_base_swa")) json["rope_local_base_freq"] = *base;
  json["query_pre_attn_scalar"] = layers == 62 ? width / heads : json["head_dim"].get<int64_t>();
}

// Writes keys below "llama." and the like, with the types that llama.cpp asks for.
struct KeyWriter {
  GgufMetadata& metadata;
  std::string prefix;

  void integer(const char* key, int64_t value) const { metadata.set(prefix + key, uint32_t(value)); }
  void number(const char* key, double value) const { metadata.set(prefix + key, float(value)); }
  void text(const char* key, const std::string& value) const { metadata.set(prefix + key, value); }
};

void put_rope_keys(const ModelConfig& config, const KeyWriter& keys) {
  const RopeConfig& rope = config.rope;
  keys.number("rope.freq_base", rope.base);
  if (!config.is_local_L.empty()) keys.number("rope.freq_base_swa", config.local_rope.base);
  if (rope.scaling != RopeScaling::linear && rope.scaling != RopeScaling::yarn) return;
  keys.text("rope.scaling.type", rope.scaling == RopeScaling::linear ? "linear" : "yarn");
  keys.number("rope.scaling.factor", rope.factor);
  if (rope.scaling == RopeScaling::linear) return;
  keys.integer("rope.scaling.original_context_length", rope.original_context);
  keys.number("rope.scaling.yarn_beta_fast", rope.beta_fast);
  keys.number("rope.scaling.yarn_beta_slow", rope.beta_slow);
  const double usual = usual_attention_factor(rope.factor);
  if (rope.attention_factor != usual) keys.number("rope.scaling.attn_factor", rope.attention_factor / usual);
}

}  // namespace

ModelConfig config_of_gguf(const GgufFacts& facts) {
  const GgufFamily& family = gguf_family_of_architecture(facts.metadata.string("general.architecture"));
  const Keys keys{facts.metadata, std::string(family.architecture) + "."};
  const std::string name = family.family;
  Json json = name == "gpt2" ? gpt2_json(keys) : llama_like_json(facts, keys);
  if (name == "gemma3_text") put_gemma3(keys, json);
  json["vocab_size"] = facts.vocabulary;
  json["tie_word_embeddings"] = !facts.has_head;
  ModelConfig config;
  try {
    config = architecture_of(name).read(json);
  } catch (const Error& error) {  // which says that a config.json is wrong
    fail("[gguf] the metadata, in the words of {}", error.what());
  }
  check(config);
  return config;
}

ModelConfig config_of_gguf(const GgufFile& file) {
  gguf_family_of_architecture(file.metadata().string("general.architecture"));  // its error before others
  const int64_t parts = file.metadata().find_integer("split.count").value_or(1);
  require(parts <= 1, "[gguf] {}: one of {} parts of a model; join them first (llama-gguf-split --merge)", file.path(),
          parts);
  GgufFacts facts{file.metadata(), file.tensor("token_embd.weight").rows(), file.has("output.weight"), {}};
  if (file.has("rope_freqs.weight")) facts.rope_divisors = file.read_f32("rope_freqs.weight");
  return config_of_gguf(facts);
}

void put_config(const ModelConfig& config, GgufMetadata& metadata) {
  const GgufFamily& family = gguf_family_of_model(config);
  metadata.set("general.architecture", std::string(family.architecture));
  const KeyWriter keys{metadata, std::string(family.architecture) + "."};
  keys.integer("block_count", config.layers);
  keys.integer("context_length", config.context);
  keys.integer("embedding_length", config.width);
  keys.integer("feed_forward_length", config.feed_forward);
  keys.integer("attention.head_count", config.heads);
  if (config.norm == NormKind::layer) {
    keys.number("attention.layer_norm_epsilon", config.norm_eps);
  } else {
    keys.integer("attention.head_count_kv", config.kv_heads);
    put_rope_keys(config, keys);
    keys.number("attention.layer_norm_rms_epsilon", config.norm_eps);
    keys.integer("attention.key_length", config.head_size);
    keys.integer("attention.value_length", config.head_size);
  }
  if (config.window > 0) keys.integer("attention.sliding_window", config.window);
  if (family.interleaves_pairs) {
    keys.integer("vocab_size", config.vocabulary);
    keys.integer("rope.dimension_count", config.head_size);
  }
  const ModelConfig again =
      config_of_gguf(GgufFacts{metadata, config.vocabulary, !config.ties_head, rope_divisors_of(config)});
  // What is added under a norm's root is used as a float.
  ModelConfig said = config;
  said.norm_eps = shortest(config.norm_eps);
  if (const double usual = usual_attention_factor(config.rope.factor);
      config.rope.scaling == RopeScaling::yarn && config.rope.attention_factor != usual)
    said.rope.attention_factor = usual * shortest(float(config.rope.attention_factor / usual));
  require(
      again == said,
      "[gguf] the format cannot say all of this model's configuration (its rope scaling, the scale of its scores, or "
      "the pattern of its layers)");
}

std::vector<float> rope_divisors_of(const ModelConfig& config) {
  if (config.rope.scaling != RopeScaling::llama3) return {};
  require(config.family == "llama", "[gguf] llama.cpp has Llama 3's rope scaling for Llama only, not for {}",
          config.family);
  const std::vector<double> plain = rope_frequencies(RopeConfig{.base = config.rope.base}, config.head_size),
                            scaled = rope_frequencies(config.rope, config.head_size);
  std::vector<float> divisors;
  for (size_t i = 0; i < plain.size(); ++i) divisors.push_back(float(plain[i] / scaled[i]));
  return divisors;
}

}  // namespace fude
