// Which tensor is quantised to what, against llama.cpp's own tables (tools/goldens/make_quantize.py).
#include "model/quantize.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "base/error.h"
#include "base/file.h"

namespace fude {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = char(std::tolower(c));
  return text;
}

GgufContents contents_with(ModelConfig config, std::map<std::string, std::vector<int64_t>> shapes) {
  GgufContents contents{config, GgufMetadata(), {}, nullptr};
  for (const auto& [name, shape] : shapes) contents.tensors.push_back({name, shape, WeightType::f32, {}});
  return contents;
}

std::map<std::string, std::string> chosen(const GgufContents& contents, std::string_view mixture) {
  const std::vector<WeightType> types = quantized_types(contents, quantize_mixture(mixture));
  std::map<std::string, std::string> names;
  for (size_t i = 0; i < types.size(); ++i)
    names[contents.tensors[i].name] = lower(std::string(weight_format(types[i]).name));
  return names;
}

// The matrices of a model of Llama's shape.
std::map<std::string, std::vector<int64_t>> matrices(const ModelConfig& c) {
  std::map<std::string, std::vector<int64_t>> shapes = {{"token_embd.weight", {c.vocabulary, c.width}}};
  if (!c.ties_head) shapes["output.weight"] = {c.vocabulary, c.width};
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string blk = "blk." + std::to_string(layer) + ".";
    const int64_t q = c.heads * c.head_size, kv = c.kv_heads * c.head_size;
    shapes[blk + "attn_q.weight"] = {q, c.width}, shapes[blk + "attn_k.weight"] = {kv, c.width};
    shapes[blk + "attn_v.weight"] = {kv, c.width}, shapes[blk + "attn_output.weight"] = {c.width, q};
    shapes[blk + "ffn_gate.weight"] = shapes[blk + "ffn_up.weight"] = {c.feed_forward, c.width};
    shapes[blk + "ffn_down.weight"] = {c.width, c.feed_forward};
  }
  return shapes;
}

class LlamaCppTable : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(LlamaCppTable, IsOurs) {
  const auto [model, family] = GetParam();
  const std::string text = read_file(FUDE_SOURCE_DIR "/tests/goldens/quantize/" + std::string(model) + ".schema");
  ModelConfig c;
  c.family = family, c.head_size = 256, c.ties_head = text.find("output.weight") == text.npos;
  const std::pair<const char*, int64_t*> numbers[] = {{"n_embd=", &c.width},       {"n_ff=", &c.feed_forward},
                                                      {"n_vocab=", &c.vocabulary}, {"n_layer=", &c.layers},
                                                      {"n_head=", &c.heads},       {"n_head_kv=", &c.kv_heads}};
  for (const auto& [key, number] : numbers) *number = std::stoll(text.substr(text.find(key) + std::string(key).size()));
  const GgufContents contents = contents_with(c, matrices(c));
  std::istringstream lines(text);
  std::string mixture;
  std::map<std::string, std::string> expected;
  int compared = 0;
  const auto compare = [&, model = model] {
    if (mixture.empty()) return;
    EXPECT_EQ(chosen(contents, mixture), expected) << model << " " << mixture;
    ++compared;
  };
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.starts_with("#")) continue;
    const size_t blank = line.find(' ');
    if (line.starts_with("[")) {
      compare();
      mixture = line.substr(1, blank - 2);
      for (const auto& tensor : contents.tensors) expected[tensor.name] = lower(line.substr(blank + 1));
    } else if (expected.contains(line.substr(0, blank))) {
      expected[line.substr(0, blank)] = lower(line.substr(blank + 1));
    } else {
      ADD_FAILURE() << line;
    }
  }
  compare();
  EXPECT_EQ(compared, 13);
}

INSTANTIATE_TEST_SUITE_P(Models, LlamaCppTable,
                         testing::Values(std::pair{"qwen3-0.6b", "qwen3"}, std::pair{"qwen3-14b", "qwen3"},
                                         std::pair{"gemma-3-4b-it", "gemma3_text"},
                                         std::pair{"meta-llama-3.1-70b-instruct", "llama"}));

// Rows of 576 values (SmolLM2) are no whole blocks of 256, rows of 100 not even of 32.
TEST(Quantize, FallsBackWhereRowsAreNoWholeBlocks) {
  ModelConfig c;
  c.family = "llama", c.layers = 30, c.ties_head = true;
  const GgufContents contents = contents_with(c, {{"token_embd.weight", {49152, 576}},
                                                  {"blk.0.attn_v.weight", {192, 576}},
                                                  {"blk.4.attn_v.weight", {192, 576}},
                                                  {"blk.4.attn_q.weight", {576, 100}},
                                                  {"blk.4.ffn_down.weight", {576, 1536}}});
  using Names = std::map<std::string, std::string>;
  EXPECT_EQ(chosen(contents, "Q4_K_M"), (Names{{"token_embd.weight", "q8_0"},
                                               {"blk.0.attn_v.weight", "q8_0"},
                                               {"blk.4.attn_v.weight", "q5_0"},
                                               {"blk.4.attn_q.weight", "f16"},
                                               {"blk.4.ffn_down.weight", "q4_k"}}));
  EXPECT_EQ(chosen(contents, "Q5_K_S")["blk.4.attn_v.weight"], "q5_1");
  EXPECT_EQ(chosen(contents, "Q4_1")["token_embd.weight"], "q8_0");
  EXPECT_EQ(chosen(contents, "Q4_1")["blk.4.attn_q.weight"], "f16");
}

TEST(Quantize, LeavesNormsBiasesAndPositions) {
  const GgufContents contents = contents_with({}, {{"output_norm.weight", {256}},
                                                   {"blk.0.attn_q.bias", {256}},
                                                   {"blk.0.attn_q_norm.weight", {256, 256}},
                                                   {"position_embd.weight", {256, 256}}});
  for (const auto& [name, type] : chosen(contents, "Q4_0")) EXPECT_EQ(type, "f32") << name;
}

TEST(Quantize, NamesOfMixtures) {
  EXPECT_EQ(quantize_mixture("q4_k_m").name, "Q4_K_M");
  EXPECT_EQ(quantize_mixture("Q5_K").name, "Q5_K_M");
  EXPECT_THROW(quantize_mixture("Q9_0"), Error);
}

}  // namespace
}  // namespace fude
