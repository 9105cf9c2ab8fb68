#include "model/quantize.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/error.h"

namespace fude {
namespace {

enum class Place { other, output, embedding, attention_value, mlp_down };

Place place_of(std::string_view name) {
  const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
  if (name == "output.weight") return Place::output;
  if (name == "token_embd.weight") return Place::embedding;
  if (has("attn_v.weight") || has("attn_qkv.weight")) return Place::attention_value;
  return has("ffn_down") ? Place::mlp_down : Place::other;
}

// "blk.12.attn_v.weight" → 12
int64_t layer_of(std::string_view name) {
  int64_t layer = 0;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

// The first and the last eighth of the layers, and every third between.
bool takes_more_bits(int64_t layer, int64_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

// Eight heads share each of its small matrices of values.
bool is_70b(const ModelConfig& c) {
  return c.layers == 80 && (c.family == "qwen2" || (c.family == "llama" && c.heads != c.kv_heads));
}

// What the rules say, whatever the extents.
WeightType wanted_type(const ModelConfig& c, const QuantizeMixture& mixture, std::string_view name, int64_t cols) {
  const bool is_small = mixture.name.ends_with("_K_S"), is_medium = mixture.name.ends_with("_K_M");
  const bool is_small_4 = is_small && mixture.type == WeightType::q4_k;
  const int64_t layer = layer_of(name);
  switch (place_of(name)) {
    case Place::embedding:
      if (!c.ties_head) return mixture.type;
      [[fallthrough]];
    case Place::output:
      if (cols % weight_format(mixture.type).block != 0 || mixture.type == WeightType::q8_0) return WeightType::q8_0;
      return WeightType::q6_k;
    case Place::attention_value:
      if (is_medium && takes_more_bits(layer, c.layers)) return WeightType::q6_k;
      if (is_small_4 && layer < 4) return WeightType::q5_k;
      return mixture.type == WeightType::q4_k && is_70b(c) ? WeightType::q5_k : mixture.type;
    case Place::mlp_down:
      if (is_medium && takes_more_bits(layer, c.layers)) return WeightType::q6_k;
      return is_small_4 && layer < c.layers / 8 ? WeightType::q5_k : mixture.type;
    case Place::other:
      return mixture.type;
  }
  return mixture.type;
}

// A type with blocks that rows of so many values are made of.
WeightType fitting_type(WeightType type, int64_t cols) {
  const auto fits = [&](WeightType t) { return cols % weight_format(t).block == 0; };
  if (fits(type)) return type;
  if (type == WeightType::q4_k) type = WeightType::q5_0;
  if (type == WeightType::q5_k) type = WeightType::q5_1;
  if (type == WeightType::q6_k) type = WeightType::q8_0;
  return fits(type) ? type : WeightType::f16;
}

}  // namespace

const std::vector<QuantizeMixture>& quantize_mixtures() {
  using enum WeightType;
  static const std::vector<QuantizeMixture> all = {
      {"F32", f32, 0},      {"F16", f16, 1},      {"BF16", bf16, 32}, {"Q4_0", q4_0, 2},    {"Q4_1", q4_1, 3},
      {"Q5_0", q5_0, 8},    {"Q5_1", q5_1, 9},    {"Q8_0", q8_0, 7},  {"Q4_K_S", q4_k, 14}, {"Q4_K_M", q4_k, 15},
      {"Q5_K_S", q5_k, 16}, {"Q5_K_M", q5_k, 17}, {"Q6_K", q6_k, 18},
  };
  return all;
}

const QuantizeMixture& quantize_mixture(std::string_view name) {
  std::string wanted(name), known;
  std::transform(wanted.begin(), wanted.end(), wanted.begin(), [](unsigned char c) { return std::toupper(c); });
  if (wanted == "Q4_K" || wanted == "Q5_K") wanted += "_M";
  for (const QuantizeMixture& mixture : quantize_mixtures()) {
    if (mixture.name == wanted) return mixture;
    known.append(known.empty() ? "" : ", ").append(mixture.name);
  }
  fail("[quantize] expected one of {}; got '{}'", known, name);
}

std::vector<WeightType> quantized_types(const GgufContents& contents, const QuantizeMixture& mixture) {
  std::vector<WeightType> types;
  for (const GgufContents::Tensor& tensor : contents.tensors) {
    if (!has_free_type(tensor)) {
      types.push_back(tensor.type);
    } else if (!weight_format(mixture.type).is_quantized()) {
      types.push_back(mixture.type);
    } else {
      const int64_t cols = tensor.shape.back();
      types.push_back(fitting_type(wanted_type(contents.config, mixture, tensor.name, cols), cols));
    }
  }
  return types;
}

}  // namespace fude
