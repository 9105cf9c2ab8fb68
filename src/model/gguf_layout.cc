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

// Which row of a head stands at `row` when pairs lie beside each other.
int64_t row_of_pair(int64_t row, int64_t head_size) { return row / 2 + row % 2 * (head_size / 2); }

// Calls body(row pair by pair, the same row half a head apart) for all rows.
template <class Body>
void for_pairs(int64_t rows, int64_t head_size, const Body& body) {
  for (int64_t row = 0; row < rows; ++row)
    body(row, row / head_size * head_size + row_of_pair(row % head_size, head_size));
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

template <class T>
std::vector<T> part_pairs(const std::vector<T>& values, int64_t head_size, int64_t cols) {
  std::vector<T> parted(values.size());
  for_pairs(int64_t(values.size()) / cols, head_size, [&](int64_t paired, int64_t apart) {
    std::copy_n(values.begin() + paired * cols, cols, parted.begin() + apart * cols);
  });
  return parted;
}
template std::vector<float> part_pairs(const std::vector<float>&, int64_t, int64_t);
template std::vector<std::byte> part_pairs(const std::vector<std::byte>&, int64_t, int64_t);

std::vector<float> join_pairs(const std::vector<float>& values, int64_t head_size, int64_t cols) {
  std::vector<float> joined(values.size());
  for_pairs(int64_t(values.size()) / cols, head_size, [&](int64_t paired, int64_t apart) {
    std::copy_n(values.begin() + apart * cols, cols, joined.begin() + paired * cols);
  });
  return joined;
}

}  // namespace fude
