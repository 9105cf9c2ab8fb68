#include "model/gguf_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "base/error.h"
#include "base/json.h"
#include "model/architecture.h"
#include "model/rope.h"

namespace fude {
namespace {

struct GgufFamily {
  const char *architecture, *family;
  bool interleaves_pairs;  // rows of queries and keys: pair by pair
};
constexpr GgufFamily kGgufFamilies[] = {{"llama", "llama", true},
                                        {"qwen2", "qwen2", false},
                                        {"qwen3", "qwen3", false},
                                        {"gemma3", "gemma3_text", false},
                                        {"gpt2", "gpt2", false}};

const GgufFamily& family_of(const GgufMetadata& metadata) {
  const std::string_view name = metadata.string("general.architecture");
  std::string known;
  for (const GgufFamily& family : kGgufFamilies) {
    if (name == family.architecture) return family;
    known += (known.empty() ? "" : ", ") + std::string(family.architecture);
  }
  fail("[gguf] the architecture '{}' is not known; expected one of {}", name, known);
}

// Keys below "llama." and the like.
struct Keys {
  const GgufMetadata& metadata;
  std::string prefix;

  int64_t integer(const char* key) const { return metadata.integer(prefix + key); }
  std::optional<int64_t> find_integer(const char* key) const { return metadata.find_integer(prefix + key); }
  // Files have floats: what was 1e-6 is 1e-6 again, not 9.99999997e-7.
  std::optional<double> find_number(const char* key) const {
    const auto number = metadata.find_number(prefix + key);
    return number ? std::optional(std::stod(fmt::format("{}", float(*number)))) : number;
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
Json llama3_scaling(const GgufFile& file, double base, int64_t head_size) {
  const std::vector<float> divisors = file.read_f32("rope_freqs.weight");
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

void put_rope(const GgufFile& file, const Keys& keys, int64_t head_size, Json& json) {
  const double base = keys.find_number("rope.freq_base").value_or(10000);
  json["rope_theta"] = base;
  if (const auto turned = keys.find_integer("rope.dimension_count"))
    require(*turned == head_size, "[gguf] {}rope.dimension_count: expected the head size {}, got {}", keys.prefix,
            head_size, *turned);
  const std::string_view type = keys.metadata.find_string(keys.prefix + "rope.scaling.type").value_or("none");
  if (file.has("rope_freqs.weight")) {
    json["rope_scaling"] = llama3_scaling(file, base, head_size);
  } else if (type != "none") {
    Json& scaling = json["rope_scaling"] = {{"rope_type", type}};
    for (const auto& [key, name] : {std::pair{"rope.scaling.factor", "factor"},
                                    {"rope.scaling.attn_factor", "attention_factor"},
                                    {"rope.scaling.yarn_beta_fast", "beta_fast"},
                                    {"rope.scaling.yarn_beta_slow", "beta_slow"}})
      if (const auto value = keys.find_number(key)) scaling[name] = *value;
    if (const auto context = keys.find_integer("rope.scaling.original_context_length"))
      scaling["original_max_position_embeddings"] = *context;
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

Json llama_like_json(const GgufFile& file, const Keys& keys) {
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
               {"rms_norm_eps", keys.find_number("attention.layer_norm_rms_epsilon").value_or(1e-6)},
               {"tie_word_embeddings", !file.has("output.weight")}};
  put_rope(file, keys, head_size, json);
  return json;
}

// Every sixth layer is global, and the scores' scale follows from the head size but in the largest model; the file says
// neither.
void put_gemma3(const Keys& keys, Json& json) {
  const int64_t layers = json["num_hidden_layers"], width = json["hidden_size"], heads = json["num_attention_heads"];
  json["sliding_window"] = keys.integer("attention.sliding_window");
  json["query_pre_attn_scalar"] = layers == 62 ? width / heads : json["head_dim"].get<int64_t>();
}

TensorNames gguf_names(const TensorNames& own) {
  const auto as = [](const std::string& name, const char* gguf) { return name.empty() ? "" : std::string(gguf); };
  const std::string layer = "blk.{}.";
  const auto in_layer = [&](const std::string& name, const char* gguf) { return name.empty() ? "" : layer + gguf; };
  TensorNames n;
  n.embedding = "token_embd.weight", n.final_norm = "output_norm.weight";
  n.positions = as(own.positions, "position_embd.weight"), n.head = as(own.head, "output.weight");
  n.attention_norm = layer + "attn_norm.weight", n.mlp_norm = layer + "ffn_norm.weight";
  n.q_norm = in_layer(own.q_norm, "attn_q_norm.weight"), n.k_norm = in_layer(own.k_norm, "attn_k_norm.weight");
  n.post_attention_norm = in_layer(own.post_attention_norm, "post_attention_norm.weight");
  n.post_mlp_norm = in_layer(own.post_mlp_norm, "post_ffw_norm.weight");
  n.qkv = own.qkv.size() == 1 ? std::vector{layer + "attn_qkv.weight"}
                              : std::vector{layer + "attn_q.weight", layer + "attn_k.weight", layer + "attn_v.weight"};
  n.out = layer + "attn_output.weight";
  n.up = own.up.size() == 1 ? std::vector{layer + "ffn_up.weight"}
                            : std::vector{layer + "ffn_gate.weight", layer + "ffn_up.weight"};
  n.down = layer + "ffn_down.weight";
  return n;
}

class GgufWeights : public WeightSource {
 public:
  explicit GgufWeights(const std::string& path) : path_(path), file_(path), config_(config_of_gguf(file_)) {
    const TensorNames &own = architecture_of(config_.family).names, other = gguf_names(own);
    const auto put = [&](const std::string& from, const std::string& to, int64_t layer) {
      if (from.empty()) return;
      const std::string a = name_in_layer(from, layer), b = name_in_layer(to, layer);
      names_[a] = b, names_[bias_of(a)] = bias_of(b);
    };
    put(own.embedding, other.embedding, 0), put(own.positions, other.positions, 0);
    put(own.final_norm, other.final_norm, 0), put(own.head, other.head, 0);
    for (int64_t layer = 0; layer < config_.layers; ++layer) {
      for (const auto name :
           {&TensorNames::attention_norm, &TensorNames::mlp_norm, &TensorNames::q_norm, &TensorNames::k_norm,
            &TensorNames::post_attention_norm, &TensorNames::post_mlp_norm, &TensorNames::out, &TensorNames::down})
        put(own.*name, other.*name, layer);
      for (const auto list : {&TensorNames::qkv, &TensorNames::up})
        for (size_t i = 0; i < (own.*list).size(); ++i) put((own.*list)[i], (other.*list)[i], layer);
    }
  }

  const ModelConfig& config() const override { return config_; }
  bool is_in_family_form() const override { return false; }
  const std::vector<int64_t>* shape_of(const std::string& name) const override {
    const std::string* here = find(name);
    return here == nullptr ? nullptr : &file_.tensor(*here).shape;
  }
  std::vector<float> read(const std::string& name) const override {
    const std::string* here = find(name);
    require(here != nullptr, "[model] {}: the tensor {} is missing", path_, name);
    std::vector<float> values = file_.read_f32(*here);
    if (has_pairs(*here)) part_pairs(values, config_.head_size, file_.tensor(*here).cols());
    return values;
  }
  const WeightFormat* block_format_of(const std::string& name) const override {
    const std::string* here = find(name);
    const WeightFormat* format = here == nullptr ? nullptr : file_.tensor(*here).format;
    return format != nullptr && format->is_block() ? format : nullptr;
  }
  std::vector<std::byte> read_blocks(const std::string& name) const override {
    const std::string* here = find(name);
    require(here != nullptr, "[model] {}: the tensor {} is missing", path_, name);
    const std::span<const std::byte> bytes = file_.bytes(*here);
    std::vector<std::byte> blocks(bytes.begin(), bytes.end());
    const GgufFile::Tensor& tensor = file_.tensor(*here);
    if (has_pairs(*here)) part_pairs(blocks, config_.head_size, int64_t(blocks.size()) / tensor.rows());
    return blocks;
  }
  void require_no_others(const std::set<std::string>& names) const override {
    std::set<std::string> used = {"rope_freqs.weight"};
    for (const std::string& name : names)
      if (const std::string* here = find(name)) used.insert(*here);
    for (const auto& [name, tensor] : file_.tensors())
      require(used.contains(name), "[model] {}: the tensor {} has no place in the model that the metadata describe",
              path_, name);
  }

 private:
  const std::string* find(const std::string& name) const {
    const auto found = names_.find(name);
    return found == names_.end() || !file_.has(found->second) ? nullptr : &found->second;
  }
  bool has_pairs(const std::string& here) const {
    return interleaves_pairs_ &&
           (here.find(".attn_q.") != std::string::npos || here.find(".attn_k.") != std::string::npos);
  }
  // Rows of a head: (0, D/2, 1, D/2 + 1, …) become (0, 1, …, D/2, D/2 + 1, …).
  template <class T>
  static void part_pairs(std::vector<T>& values, int64_t head_size, int64_t cols) {
    const std::vector<T> from = values;
    const int64_t half = head_size / 2, rows = int64_t(from.size()) / cols;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t head = row / head_size * head_size, at = row - head;  // the row in its head, as it is wanted
      const auto source = from.begin() + (head + at % half * 2 + at / half) * cols;
      std::copy(source, source + cols, values.begin() + row * cols);
    }
  }

  std::string path_;
  GgufFile file_;
  ModelConfig config_;
  bool interleaves_pairs_ = family_of(file_.metadata()).interleaves_pairs;
  std::map<std::string, std::string> names_;  // of the family's files → of this one
};

}  // namespace

ModelConfig config_of_gguf(const GgufFile& file) {
  const GgufFamily& family = family_of(file.metadata());
  const Keys keys{file.metadata(), std::string(family.architecture) + "."};
  const std::string name = family.family;
  Json json = name == "gpt2" ? gpt2_json(keys) : llama_like_json(file, keys);
  if (name == "gemma3_text") put_gemma3(keys, json);
  json["vocab_size"] = file.tensor("token_embd.weight").rows();
  ModelConfig config = architecture_of(name).read(json);
  check(config);
  return config;
}

std::unique_ptr<WeightSource> open_gguf(const std::string& path) { return std::make_unique<GgufWeights>(path); }

}  // namespace fude
