#include "model/gguf_layout.h"

#include <algorithm>

#include "base/error.h"
#include "model/architecture.h"

namespace fude {
namespace {

constexpr GgufFamily kGgufFamilies[] = {{"llama", "llama", true},
                                        {"qwen2", "qwen2", false},
                                        {"qwen3", "qwen3", false},
                                        {"gemma3", "gemma3_text", false},
                                        {"gpt2", "gpt2", false}};

const GgufFamily& find_family(const char* GgufFamily::*key, std::string_view name, std::string_view what) {
  std::string known;
  for (const GgufFamily& family : kGgufFamilies) {
    if (name == family.*key) return family;
    known += (known.empty() ? "" : ", ") + std::string(family.*key);
  }
  fail("[gguf] the {} '{}' is not known; expected one of {}", what, name, known);
}

TensorNames gguf_patterns(const TensorNames& own) {
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

}  // namespace

const GgufFamily& gguf_family_of_architecture(std::string_view architecture) {
  return find_family(&GgufFamily::architecture, architecture, "architecture");
}

const GgufFamily& gguf_family_of_model(const ModelConfig& config) {
  return find_family(&GgufFamily::family, config.family, "family");
}

std::map<std::string, std::string> gguf_names_of(const ModelConfig& config) {
  const TensorNames &own = architecture_of(config.family).names, other = gguf_patterns(own);
  std::map<std::string, std::string> names;
  const auto put = [&](const std::string& from, const std::string& to, int64_t layer) {
    if (from.empty()) return;
    const std::string a = name_in_layer(from, layer), b = name_in_layer(to, layer);
    names[a] = b, names[bias_of(a)] = bias_of(b);
  };
  put(own.embedding, other.embedding, 0), put(own.positions, other.positions, 0);
  put(own.final_norm, other.final_norm, 0), put(own.head, other.head, 0);
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (const auto name :
         {&TensorNames::attention_norm, &TensorNames::mlp_norm, &TensorNames::q_norm, &TensorNames::k_norm,
          &TensorNames::post_attention_norm, &TensorNames::post_mlp_norm, &TensorNames::out, &TensorNames::down})
      put(own.*name, other.*name, layer);
    for (const auto list : {&TensorNames::qkv, &TensorNames::up})
      for (size_t i = 0; i < (own.*list).size(); ++i) put((own.*list)[i], (other.*list)[i], layer);
  }
  return names;
}

bool has_pairs(const GgufFamily& family, std::string_view gguf_name) {
  return family.interleaves_pairs &&
         (gguf_name.find(".attn_q.") != gguf_name.npos || gguf_name.find(".attn_k.") != gguf_name.npos);
}

int64_t paired_row(int64_t row, int64_t head_size) {
  const int64_t in_head = row % head_size, half = head_size / 2;
  return row - in_head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1);
}

std::vector<float> part_pairs(const std::vector<float>& values, int64_t head_size, int64_t cols) {
  std::vector<float> parted(values.size());
  for (int64_t row = 0; row < int64_t(values.size()) / cols; ++row)
    std::copy_n(values.begin() + paired_row(row, head_size) * cols, cols, parted.begin() + row * cols);
  return parted;
}

std::vector<float> join_pairs(const std::vector<float>& values, int64_t head_size, int64_t cols) {
  std::vector<float> joined(values.size());
  for (int64_t row = 0; row < int64_t(values.size()) / cols; ++row)
    std::copy_n(values.begin() + row * cols, cols, joined.begin() + paired_row(row, head_size) * cols);
  return joined;
}

}  // namespace fude
