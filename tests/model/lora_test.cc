// Adapters of PEFT and llama.cpp on the golden models: the logits that PEFT computes, and everything that is refused.
#include "model/lora.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "model/load.h"
#include "model/peft_folder.h"
#include "tensor/gguf.h"
#include "tensor/safetensors.h"
#include "tests/support/adapter_case.h"
#include "tests/support/golden_case.h"

namespace fude {
namespace {

std::string lora_golden_folder(const std::string& family) { return FUDE_SOURCE_DIR "/tests/goldens/" + family; }

// A family, and the folder of an adapter beside its golden.
class LoraGolden : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  std::string folder = lora_golden_folder(std::get<0>(GetParam())),
              adapter_folder = folder + "/" + std::get<1>(GetParam());
  Device device{2};
  std::unique_ptr<Transformer> model = load_model(device, folder);

  std::vector<float> logits(const Transformer& model, const Adapter* adapter) {
    const SafetensorsFile golden(folder + "/golden.safetensors");
    TokenBatch b;
    b.tokens_N = golden.read_i32("tokens");
    b.sequence_starts = golden.read_i32("sequence_starts");
    for (size_t s = 0; s + 1 < b.sequence_starts.size(); ++s)
      for (int32_t p = 0; p < b.sequence_starts[s + 1] - b.sequence_starts[s]; ++p) b.positions_N.push_back(p);
    if (adapter != nullptr) b.adapters = {{adapter, 0, b.size()}};
    const Pass pass{device, default_kernels()};
    BatchKv kv;
    const Tensor logits_NV = model.logits(pass, model.forward(pass, b, kv), b.adapters);
    return {logits_NV.data<float>(), logits_NV.data<float>() + logits_NV.size()};
  }
};

// The tolerance of golden_test.cc. In each of the four products of a layer, the embedding and the head, a value passes
// through two more (A and B), and is scaled and added.
TEST_P(LoraGolden, LogitsEqualPeft) {
  const std::vector<float> exact = SafetensorsFile(adapter_folder + "/golden.safetensors").read_f32("logits");
  const ModelConfig& c = model->config();
  const double longest = double(std::max({c.width, c.feed_forward, c.heads * c.head_size}));
  const double ops = double((c.has_post_norms ? 8 : 6) + 4 * 4) * double(c.layers) + 3 + 2 * 4;
  const std::vector<float> ours = logits(*model, load_adapter(*model, adapter_folder).get());
  EXPECT_LE(largest_difference(ours, exact), ops * std::sqrt(longest) * 0x1p-24 * largest(exact));
  EXPECT_NE(ours, logits(*model, nullptr));
}

// Base and adapter may come from Hugging Face or from llama.cpp, each for itself.
TEST_P(LoraGolden, FromGgufItIsTheSame) {
  const auto adapter = load_adapter(*model, adapter_folder);
  const std::vector<float> expected = logits(*model, adapter.get());
  if (const std::string base = folder + "/model.gguf"; file_exists(base)) {
    const auto other = load_model(device, base);
    EXPECT_EQ(logits(*other, load_adapter(*other, adapter_folder).get()), expected);
  }
  if (const std::string path = adapter_folder + "/adapter.gguf"; file_exists(path)) {
    EXPECT_EQ(logits(*model, load_adapter(*model, path).get()), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Blocks, LoraGolden,
                         testing::Combine(testing::Values("llama", "qwen2", "qwen3", "gemma3_text", "gpt2"),
                                          testing::Values("adapter")),
                         [](const auto& info) { return std::string(std::get<0>(info.param)); });
INSTANTIATE_TEST_SUITE_P(Ends, LoraGolden,
                         testing::Combine(testing::Values("llama", "qwen2", "gemma3_text", "gpt2"),
                                          testing::Values("adapter_ends")),
                         [](const auto& info) { return std::string(std::get<0>(info.param)); });

// One tensor with two uses: an adapter of the one leaves the other alone.
TEST(Lora, TiedEnds) {
  Device device(1);
  const auto model = load_model(device, lora_golden_folder("qwen2"));
  const auto adapter = load_adapter(*model, lora_golden_folder("qwen2/adapter_ends"));
  EXPECT_EQ(&model->token_table(), &model->classifier());
  EXPECT_EQ(adapter->parts.at(&model->classifier()).size(), 1u);
  EXPECT_EQ(adapter->tables.at(&model->token_table()).a_VR.rows(), 64);
  const auto other = load_model(device, lora_golden_folder("gemma3_text"));
  const auto embedding = load_adapter(*other, lora_golden_folder("gemma3_text/adapter_ends"));
  EXPECT_FALSE(embedding->parts.contains(&other->classifier()));
  EXPECT_TRUE(embedding->tables.contains(&other->token_table()));
}

TEST(Lora, PatternsAreThoseOfPython) {
  // re.match(rf"(.*\.)?({key})$", name), by Python 3.11.
  const std::string query = "model.layers.11.self_attn.q_proj";
  const std::pair<const char*, bool> all[] = {{"q_proj", true},
                                              {"_proj", false},
                                              {"self_attn.q_proj", true},
                                              {"self_attn_q_proj", false},
                                              {"self.attn.q.proj", true},
                                              {"model.layers.11.self_attn.q_proj", true},
                                              {"odel.layers.11.self_attn.q_proj", false},
                                              {"^model.layers.11.self_attn.q_proj", true},
                                              {"^layers.11.self_attn.q_proj", false},
                                              {"^q_proj", false},
                                              {"q_proj$", true},
                                              {"q_pro", false},
                                              {"", false},
                                              {".*", true},
                                              {"(q|k)_proj", true},
                                              {"[kv]_proj", false},
                                              {"k_proj|q_proj", true},
                                              {"layers\\.(\\d+)\\..*", true},
                                              {"layers\\.\\d\\..*", false},
                                              {"layers\\.1{2}\\.self_attn\\.(?!k)._proj", true},
                                              {"(?P<kind>q|k)_proj", true},
                                              {".*(?<=_attn)\\.\\w+", true},
                                              {"q_proj)|(nothing", true},
                                              {"x)|(model", false},
                                              {"[^]]+", true}};
  for (const auto& [key, expected] : all) {
    int64_t steps = kPatternSteps;
    EXPECT_EQ(ModulePattern(key, "here").matches(query, steps), expected) << key;
  }
}

// What is no pattern, is one to PCRE2 only, or means something else to it; and what would take for ever.
Json many_patterns() {
  Json patterns = Json::object();
  for (int i = 0; i <= 10'000; ++i) patterns[fmt::format("m{}", i)] = 4;
  return patterns;
}

TEST(Lora, PatternsFromStrangers) {
  for (const char* key :
       {"(",         "q_proj)", "[a",    "*",           "a**",   "(?<=a*)b", "a{2,1}",
        "\\",        "(?i)q",   "(?R)",  "(?1)",        "(?>a)", "(?|a)",    "(*ACCEPT)",
        "(*MARK:a)", "(?C1)",   "a{,3}", "[[:alpha:]]", "\\Kq",  "\\Qq",     "\\C",
        "\\h",       "\\v",     "\\x41", "\\p{L}",      "\\1",   "(?<a>b)",  "((((a{999}){999}){999}){999})"}) {
    EXPECT_THROW(ModulePattern(key, "here"), Error) << key;
  }
  EXPECT_THROW(ModulePattern(std::string(5000, 'a'), "here"), Error);
  EXPECT_THROW(ModulePattern(std::string(2000, '(') + std::string(2000, ')'), "here"), Error);
  EXPECT_THROW(ModulePattern("\xff+", "here"), Error);
  for (const char* key : {"(a+)+[bc]", "(a|a)*[bc]", "(.*)*[bc]", ".*.*.*.*.*.*.*[bc]", "(?:(?:a?)*)*[bc]"}) {
    int64_t steps = kPatternSteps;
    try {
      ModulePattern(key, "here").matches(std::string(200, 'a'), steps);
      FAIL() << key;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("[lora] here: expected patterns that are soon decided"),
                std::string::npos)
          << error.what();
    }
  }
  // Each of them is soon decided; all together are not.
  const ModulePattern slow(".*a.*a.*[bc]", "here");
  int64_t steps = 100'000;
  EXPECT_FALSE(slow.matches(std::string(20, 'a'), steps));
  EXPECT_THROW(
      {
        while (true) slow.matches(std::string(20, 'a'), steps);
      },
      Error);
  EXPECT_THROW(slow.matches(std::string(5000, 'a'), steps), Error);
}

// A copy of the llama golden's adapter, to be spoilt.
class LoraFolder : public testing::Test {
 protected:
  LoraFolder() {
    std::filesystem::remove_all(folder);
    std::filesystem::copy(lora_golden_folder("llama/adapter"), folder);
  }
  ~LoraFolder() override { std::filesystem::remove_all(folder); }

  void configure(const char* key, const Json& value) {
    const std::string path = folder + "/adapter_config.json";
    Json config = parse_json(read_file(path), path);
    config[key] = value;
    write_file(path, config.dump());
  }
  using Tensors = std::vector<std::pair<std::string, std::vector<int64_t>>>;
  void write(const Tensors& tensors) {
    std::vector<SafetensorsOutput> outputs;
    for (const auto& [name, shape] : tensors) {
      int64_t size = 1;
      for (const int64_t extent : shape) size *= extent;
      outputs.push_back({name, shape, [=](const auto& put) { put(std::vector<float>(size_t(size), 0.5f)); }});
    }
    write_safetensors(folder + "/adapter_model.safetensors", outputs);
  }
  void write_query(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
    write({{kQuery + ".lora_A.weight", a}, {kQuery + ".lora_B.weight", b}});
  }
  void loads() { EXPECT_NO_THROW(load_adapter(*model, folder)); }
  void refuses(const std::string& words, const std::string& path = {}) {
    try {
      load_adapter(*model, path.empty() ? folder : path);
      FAIL() << "accepted: " << words;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }

  const std::string kQuery = "base_model.model.model.layers.0.self_attn.q_proj";
  std::string folder = testing::TempDir() + "fude_lora_test";
  Device device{1};
  std::unique_ptr<Transformer> model = load_model(device, lora_golden_folder("llama"));
};

TEST_F(LoraFolder, WhatItAsksForIsDoneOrRefused) {
  loads();
  struct Bad {
    const char* key;
    Json value;
    const char* words;
  };
  const Bad all[] = {{"peft_type", "LOHA", "peft_type LORA, got LOHA"},
                     {"bias", "all", "bias none, got all"},
                     {"lora_bias", true, "'lora_bias' to be off"},
                     {"use_dora", true, "'use_dora' to be off"},
                     {"use_qalora", true, "'use_qalora' to be off"},
                     {"modules_to_save", Json::array({"lm_head"}), "'modules_to_save' to be off"},
                     {"layer_replication", Json::array({0, 1}), "'layer_replication' to be off"},
                     {"target_parameters", Json::array({"x"}), "'target_parameters' to be off"},
                     {"trainable_token_indices", Json::array({1}), "'trainable_token_indices' to be off"},
                     {"alora_invocation_tokens", Json::array({1}), "'alora_invocation_tokens' to be off"},
                     {"a_variant_of_tomorrow", true, "'a_variant_of_tomorrow' to be off, got true"},
                     {"init_lora_weights", "pissa", "init_lora_weights pissa"},
                     {"target_modules", Json::array({"k_proj"}), "expected tensors of the target_modules"},
                     {"target_modules", Json::array({1}), "names at 'target_modules', got number"},
                     {"r", 0, "expected a rank from 1 to 4096, got 0"},
                     {"r", -4, "expected a rank from 1 to 4096, got -4"},
                     {"r", 1000000, "expected a rank from 1 to 4096, got 1000000"},
                     {"r", "4", "at 'r'"},
                     {"r", 5, "expected rank 5, got 4"},
                     {"lora_alpha", "high", "at 'lora_alpha'"},
                     {"lora_alpha", 1e300, "a scale that is a number"},
                     {"use_rslora", 1, "at 'use_rslora'"},
                     {"fan_in_fan_out", "yes", "at 'fan_in_fan_out'"},
                     {"rank_pattern", Json::array({4}), "an object at 'rank_pattern'"},
                     {"rank_pattern", {{"q_.*", 5}}, "expected rank 5, got 4"},
                     {"rank_pattern", many_patterns(), "expected at most 10000 patterns at 'rank_pattern', got 10001"},
                     {"rank_pattern", {{"(q", 4}}, "expected a regular expression, got '(q'"},
                     {"rank_pattern", {{"(?R)", 4}}, "that Python and PCRE2 read alike, got '(?R)'"},
                     {"alpha_pattern", {{"(.+)+[!?]", 4}}, "expected patterns that are soon decided"},
                     {"ensure_weight_tying", 1, "at 'ensure_weight_tying'"},
                     {"rank_pattern", {{"q_proj", 0}}, "expected a rank from 1 to 4096, got 0"},
                     {"rank_pattern", {{"q_proj", 3}}, "expected rank 3, got 4"},
                     {"alpha_pattern", {{"q_proj", "high"}}, "at 'q_proj'"}};
  for (const Bad& bad : all) {
    SCOPED_TRACE(std::string(bad.key) + " " + bad.value.dump());
    const std::string path = folder + "/adapter_config.json", before = read_file(path);
    configure(bad.key, bad.value);
    refuses(bad.words);
    write_file(path, before);
  }
  configure("init_lora_weights", "gaussian");
  configure("megatron_config", nullptr);
  configure("lora_dropout", 0.1);
  configure("target_modules", "all-linear");
  // The first that fits; there are no tensors of keys.
  configure("rank_pattern", {{"^model.layers.0.self_attn.k_proj", 9}, {"(q|v)_proj", 4}, {".*", 5}});
  loads();
  write_file(folder + "/adapter_config.json", "[]");
  refuses("expected an object");
}

TEST_F(LoraFolder, TensorsArePairsThatFit) {
  const std::string layer = "base_model.model.model.layers.0.";
  write_query({4, 32}, {32, 4});
  loads();
  write_query({4, 31}, {32, 4});
  refuses("expected A [4, 32] and B [32, 4], got [4, 31] and [32, 4]");
  write_query({4, 32}, {33, 4});
  refuses("got [4, 32] and [33, 4]");
  write_query({4, 32}, {32, 3});
  refuses("got [4, 32] and [32, 3]");
  write_query({5, 32}, {32, 5});
  refuses("expected rank 4, got 5");
  write_query({4}, {32, 4});
  refuses("expected A");
  write_query({}, {});
  refuses("expected rank 4, got 0");
  write({{kQuery + ".lora_A.weight", {4, 32}}});
  refuses("A alone");
  write({{kQuery + ".lora_B.weight", {32, 4}}});
  refuses("B alone");
  write({});
  refuses("at least one module");
  write({{"lora_A.weight", {4, 32}}});
  refuses("expected tensors base_model.model");
  write({{"base_model.model..lora_A.weight", {4, 32}}, {"base_model.model..lora_B.weight", {4, 32}}});
  refuses("got base_model.model..lora_A.weight");
  configure("target_modules", "all-linear");
  for (const std::string& module :
       {layer + "self_attn.x_proj", std::string("base_model.model.model.norm"),
        std::string("base_model.model.model.layers.7.self_attn.q_proj"), layer + "input_layernorm"}) {
    write({{module + ".lora_A.weight", {4, 32}}, {module + ".lora_B.weight", {32, 4}}});
    refuses("expected a module of the model's attention or MLP");
  }
  write({{"base_model.model.lm_head.lora_A.weight", {4, 32}}, {"base_model.model.lm_head.lora_B.weight", {32, 4}}});
  refuses("expected A [4, 32] and B [64, 4], got [4, 32] and [32, 4]");
  const std::string table = "base_model.model.model.embed_tokens";
  write({{table + ".lora_embedding_A", {4, 64}}, {table + ".lora_embedding_B", {32, 4}}});
  loads();
  write({{table + ".lora_embedding_A", {4, 63}}, {table + ".lora_embedding_B", {32, 4}}});
  refuses("expected A [64, 4] and B [32, 4], got [63, 4] and [32, 4]");
  write({{table + ".lora_embedding_A", {4}}, {table + ".lora_embedding_B", {32, 4}}});
  refuses("got [4] and [32, 4]");
  write({{table + ".lora_embedding_A", {4, 64}}});
  refuses("A alone");
  write({{table + ".lora_embedding_A", {4, 64}}, {table + ".lora_B.weight", {32, 4}}});
  refuses("B alone");
  write({{table + ".lora_A.weight", {4, 64}}, {table + ".lora_B.weight", {32, 4}}});
  refuses("expected an adapter of an embedding, got one of a product");
  write({{kQuery + ".lora_embedding_A", {4, 32}}, {kQuery + ".lora_embedding_B", {32, 4}}});
  refuses("expected an adapter of a product, got one of an embedding");
  write({{layer + "self_attn.q_proj.lora_magnitude_vector", {32}}});
  refuses("lora_magnitude_vector");
  // Named without what stands before it in a model with a head, and with what does in one that sees.
  for (const std::string before : {"", "language_model.", "language_model.model.", "model.language_model."}) {
    const std::string other = "base_model.model." + before + "layers.0.self_attn.q_proj";
    write({{other + ".lora_A.weight", {4, 32}}, {other + ".lora_B.weight", {32, 4}}});
    loads();
    write({{other + ".lora_A.weight", {4, 32}},
           {other + ".lora_B.weight", {32, 4}},
           {kQuery + ".lora_A.weight", {4, 32}},
           {kQuery + ".lora_B.weight", {32, 4}}});
    refuses("each module once");
  }
  std::filesystem::remove(folder + "/adapter_model.safetensors");
  refuses("adapter_model.safetensors");
  refuses("expected an adapter of PEFT", folder + "/nothing");
  refuses("expected an adapter of PEFT", lora_golden_folder("llama"));
  EXPECT_THROW(load_adapter(*load_model(device, lora_golden_folder("qwen3")), lora_golden_folder("llama/adapter")),
               Error);
}

// PEFT saves the embedding that A and B stand beside, and would load it in place of the model's.
TEST_F(LoraFolder, TheBaseIsTheModels) {
  const std::string table = "base_model.model.model.embed_tokens", base = table + ".base_layer.weight";
  std::vector<float> values(64 * 32);
  model->token_table().get_rows(0, 64, values.data());
  const auto write_base = [&](const std::vector<int64_t>& shape, WeightType type, bool has_pair) {
    const auto put_values = [&](const auto& put) { put({values.begin(), values.begin() + shape[0] * shape[1]}); };
    std::vector<SafetensorsOutput> outputs = {{base, shape, put_values, type}};
    const auto half = [](int64_t size) {
      return [=](const auto& put) { put(std::vector<float>(size_t(size), 0.5f)); };
    };
    if (has_pair) {
      outputs.push_back({table + ".lora_embedding_A", {4, 64}, half(4 * 64)});
      outputs.push_back({table + ".lora_embedding_B", {32, 4}, half(32 * 4)});
    }
    write_safetensors(folder + "/adapter_model.safetensors", outputs);
  };
  configure("target_modules", "all-linear");
  for (const WeightType type : {WeightType::f32, WeightType::bf16, WeightType::f16}) {
    write_base({64, 32}, type, true);
    loads();
  }
  write_base({63, 32}, WeightType::f32, true);
  refuses("expected the model's own weight [64, 32], got [63, 32]");
  write_base({64, 32}, WeightType::f32, false);
  refuses("beside them, got base_model.model.model.embed_tokens.base_layer.weight");
  values[41 * 32 + 7] += 0.1f;
  write_base({64, 32}, WeightType::f32, true);
  refuses("beside the model's own weight, got one whose row 41 was changed");
  values[41 * 32 + 7] = NAN;
  write_base({64, 32}, WeightType::f32, true);
  refuses("row 41");
}

TEST_F(LoraFolder, GgufFilesAreHeldToTheSame) {
  const std::string path = folder + "/other.gguf";
  const auto write_gguf_file = [&](const char* type, const char* kind, const char* architecture,
                                   std::vector<std::string> names, bool is_activated = false) {
    GgufMetadata metadata;
    metadata.set("general.type", std::string_view(type));
    metadata.set("adapter.type", std::string_view(kind));
    metadata.set("general.architecture", std::string_view(architecture));
    metadata.set("adapter.lora.alpha", 8.0f);
    if (is_activated) metadata.set("adapter.alora.invocation_tokens", std::vector<uint32_t>{1, 2});
    std::vector<GgufOutput> outputs;
    for (const std::string& name : names) {
      const std::vector<int64_t> shape =
          name.ends_with("a") ? std::vector<int64_t>{4, 32} : std::vector<int64_t>{32, 4};
      outputs.push_back(
          {name, shape, WeightType::f32, [](const auto& put) { put(std::vector<float>(size_t(128), 0.5f)); }});
    }
    write_gguf(path, metadata, outputs);
  };
  const std::string q = "blk.0.attn_q.weight";
  write_gguf_file("adapter", "lora", "llama", {q + ".lora_a", q + ".lora_b"});
  EXPECT_NO_THROW(load_adapter(*model, path));
  write_gguf_file("model", "lora", "llama", {q + ".lora_a", q + ".lora_b"});
  refuses("expected general.type adapter, got model", path);
  write_gguf_file("adapter", "other", "llama", {q + ".lora_a", q + ".lora_b"});
  refuses("adapter.type", path);
  write_gguf_file("adapter", "lora", "qwen3", {q + ".lora_a", q + ".lora_b"});
  refuses("general.architecture", path);
  write_gguf_file("adapter", "lora", "llama", {q + ".lora_a", q + ".lora_b"}, true);
  refuses("behind its invocation tokens (aLoRA): it is not supported", path);
  write_gguf_file("adapter", "lora", "llama", {q + ".lora_a"});
  refuses("A alone", path);
  write_gguf_file("adapter", "lora", "llama", {q});
  refuses("expected tensors that end", path);
  write_gguf_file("adapter", "lora", "llama", {"blk.9.attn_q.weight.lora_a", "blk.9.attn_q.weight.lora_b"});
  refuses("expected tensors of a model", path);
  write_gguf_file("adapter", "lora", "llama", {"token_embd.weight.lora_a", "token_embd.weight.lora_b"});
  refuses("expected A [64, 4] and B [32, 4], got [4, 32] and [32, 4]", path);
  write_gguf_file("adapter", "lora", "llama", {"output.weight.lora_a", "output.weight.lora_b"});
  refuses("expected A [4, 32] and B [64, 4], got [4, 32] and [32, 4]", path);
  write_gguf_file("adapter", "lora", "llama", {"output_norm.weight.lora_a", "output_norm.weight.lora_b"});
  refuses("attention or MLP", path);
  write_gguf_file("adapter", "lora", "llama", {"blk.0.attn_k.weight.lora_a", "blk.0.attn_k.weight.lora_b"});
  refuses("expected A [4, 32] and B [16, 4]", path);
}

}  // namespace
}  // namespace fude
