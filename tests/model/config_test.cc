#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/json.h"
#include "model/gguf_config.h"
#include "model/transformer.h"

namespace fude {
namespace {

ModelConfig small(const char* family) {
  ModelConfig c;
  c.family = family;
  c.vocabulary = 32, c.width = 16, c.layers = 1, c.heads = 2, c.kv_heads = 1, c.head_size = 8, c.feed_forward = 24,
  c.context = 8;
  return c;
}

TEST(ModelConfig, DefaultsAreThoseOfTheDefaultFamily) {
  Device device(1);
  EXPECT_NO_THROW(Transformer(device, small(ModelConfig{}.family.c_str())));
}

// Such a model could be trained, but its folder could not be read again.
TEST(ModelConfig, ModelThatItsFamilyCannotSaveIsRefused) {
  Device device(1);
  ModelConfig llama = small("llama");
  EXPECT_THROW(Transformer(device, llama), Error);
  llama.has_qk_norm = false;
  EXPECT_NO_THROW(Transformer(device, llama));
  ModelConfig qwen3 = small("qwen3");
  qwen3.norm = NormKind::layer;
  EXPECT_THROW(Transformer(device, qwen3), Error);
}

TEST(ModelConfig, NewModelsAreOfTheirFamily) {
  Device device(1);
  ModelConfig wanted = small("");
  wanted.kv_heads = 2, wanted.rope.base = 5e5, wanted.ties_head = false;
  for (const std::string& family : families_of_new_models()) {
    const ModelConfig config = new_config(family, wanted);
    EXPECT_EQ(config.family, family);
    EXPECT_FALSE(config.ties_head);
    EXPECT_EQ(config.rope.base, config.has_rope ? 5e5 : RopeConfig{}.base);
    for (const auto size :
         {&ModelConfig::vocabulary, &ModelConfig::width, &ModelConfig::layers, &ModelConfig::heads,
          &ModelConfig::kv_heads, &ModelConfig::head_size, &ModelConfig::feed_forward, &ModelConfig::context})
      EXPECT_EQ(config.*size, wanted.*size) << family;
    EXPECT_NO_THROW(Transformer(device, config)) << family;
  }
  EXPECT_EQ(new_config("qwen3", small("")), small("qwen3"));
  EXPECT_EQ(new_config("gpt2", small("")).kv_heads, 2);
  EXPECT_EQ(new_config("gpt2", small("")).norm_eps, 1e-5);
  EXPECT_THROW(new_config("gemma3_text", wanted), Error);
}

// Numbers that no model has are refused without being reckoned with (the sanitizer would tell).
TEST(ModelConfig, ImpossibleNumbersAreRefused) {
  const auto read = [](const char* text) {
    return [text] { check(architecture_of("gpt2").read(parse_json(text, "test"))); };
  };
  EXPECT_THROW(read(R"({"n_embd": 9223372036854775800, "n_head": 1})")(), Error);
  EXPECT_THROW(read(R"({"n_embd": -9223372036854775800, "n_head": 1})")(), Error);
  EXPECT_NO_THROW(read(R"({"n_embd": 16, "n_head": 2})")());
}

// A file that asks for other arithmetic must not be read as if it did not.
TEST(ModelConfig, FilesThatAskForOtherArithmeticAreRefused) {
  const auto read = [](const char* family, const std::string& changes) {
    Json json = architecture_of(family).write([&] {
      ModelConfig c = small(family);
      c.kv_heads = c.heads;
      return c;
    }());
    json.merge_patch(parse_json(changes, "changes"));
    return architecture_of(family).read(json);
  };
  for (const Architecture* architecture : architectures()) EXPECT_NO_THROW(read(architecture->family, "{}"));
  for (const char* family : {"llama", "qwen2", "qwen3"})
    for (const char* change :
         {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}})", R"({"rope_scaling": {"type": "dynamic"}})",
          R"({"rope_parameters": {"rope_type": "longrope"}})", R"({"rope_scaling": {"type": 3}})",
          R"({"partial_rotary_factor": 0.5})", R"({"hidden_act": "gelu"})"})
      EXPECT_THROW(read(family, change), Error) << change;
  for (const char* change :
       {R"({"final_logit_softcapping": 30.0})", R"({"use_bidirectional_attention": true})",
        R"({"hidden_activation": "silu"})", R"({"layer_types": ["chunked_attention"]})",
        R"({"layer_types": null, "sliding_window_pattern": 0})", R"({"query_pre_attn_scalar": 0})"})
    EXPECT_THROW(read("gemma3_text", change), Error) << change;
  EXPECT_NO_THROW(read("llama", R"({"rope_scaling": {"type": "default"}})"));
  for (const char* change :
       {R"({"scale_attn_by_inverse_layer_idx": true})", R"({"scale_attn_weights": false})",
        R"({"n_embd": 4611686018427387904})", R"({"n_embd": 15})", R"({"n_embd": -16, "n_head": -2})"})
    EXPECT_THROW(read("gpt2", change), Error) << change;
}

// transformers 5 takes a whole number only as one.
TEST(ModelConfig, Gemma3IsScaledByAWholeNumber) {
  for (const Json& scalar : {Json(256), Json(168.0), Json(144.5)}) {
    const Architecture& gemma = architecture_of("gemma3_text");
    Json json = gemma.write(small("gemma3_text"));
    json["query_pre_attn_scalar"] = scalar;
    const Json written = gemma.write(gemma.read(json))["query_pre_attn_scalar"];
    EXPECT_DOUBLE_EQ(written.get<double>(), scalar.get<double>());
    EXPECT_EQ(written.is_number_integer(), scalar != 144.5) << written;
  }
}

RopeConfig rope_of(const std::string& text) { return read_rope(parse_json(text, "test")); }

TEST(RopeConfig, BothSpellingsAreReadAndWritten) {
  const RopeConfig llama3{.base = 5e5, .scaling = RopeScaling::llama3, .factor = 8, .original_context = 8192};
  EXPECT_EQ(rope_of(R"({"rope_theta": 500000, "rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
                        "high_freq_factor": 4, "original_max_position_embeddings": 8192}})"),
            llama3);
  EXPECT_EQ(
      rope_of(R"({"rope_parameters": {"rope_theta": 500000, "rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
                        "high_freq_factor": 4, "original_max_position_embeddings": 8192}})"),
      llama3);
  EXPECT_EQ(rope_of(R"({"rope_theta": 1000, "rope_scaling": null})"), RopeConfig{.base = 1000});
  const RopeConfig yarn = rope_of(R"({"rope_theta": 1e6, "max_position_embeddings": 32768,
                                      "rope_scaling": {"type": "yarn", "factor": 4.0}})");
  EXPECT_EQ(yarn.original_context, 32768);
  EXPECT_DOUBLE_EQ(yarn.attention_factor, 0.1 * std::log(4.0) + 1);
  for (const RopeConfig& rope : {llama3, yarn, RopeConfig{.base = 7, .scaling = RopeScaling::linear, .factor = 2.5}}) {
    Json json = {{"max_position_embeddings", 4096}};
    write_rope(rope, json);
    EXPECT_EQ(read_rope(json), rope);
    Json newer = json, older = json;
    newer.erase("rope_scaling"), newer.erase("rope_theta"), older.erase("rope_parameters");
    EXPECT_EQ(read_rope(newer), rope);
    EXPECT_EQ(read_rope(older), rope);
  }
  for (const char* bad : {R"({"rope_theta": 0})", R"({"rope_scaling": {"type": "linear", "factor": 0}})",
                          R"({"rope_scaling": {"type": "yarn", "factor": 4, "original_max_position_embeddings": 0}})"})
    EXPECT_THROW(check(rope_of(bad)), Error) << bad;
}

// transformers 4 spells Gemma 3 with two bases and a pattern.
TEST(ModelConfig, Gemma3InTheOlderSpelling) {
  const ModelConfig c = architecture_of("gemma3_text")
                            .read(parse_json(R"({
      "vocab_size": 262144, "hidden_size": 640, "num_hidden_layers": 7, "num_attention_heads": 4,
      "num_key_value_heads": 1, "intermediate_size": 2048, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
      "rope_scaling": {"rope_type": "linear", "factor": 8.0}, "sliding_window": 512, "sliding_window_pattern": 6})",
                                             "test"));
  check(c);
  EXPECT_EQ(c.is_local_L, (std::vector<bool>{true, true, true, true, true, false, true}));
  EXPECT_EQ(c.rope, (RopeConfig{.base = 1e6, .scaling = RopeScaling::linear, .factor = 8}));
  EXPECT_EQ(c.local_rope, RopeConfig{.base = 10000});
  EXPECT_EQ(c.head_size, 256);
  EXPECT_EQ(c.window, 512);
  EXPECT_TRUE(c.ties_head);
  EXPECT_EQ(architecture_of("gemma3_text").read(architecture_of("gemma3_text").write(c)), c);
}

// As the model of 4 billion weights is published.
TEST(ModelConfig, Gemma3WithinAModelThatSees) {
  const ModelConfig c = architecture_of("gemma3_text")
                            .read(parse_json(R"({
      "hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
      "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024})",
                                             "test"));
  check(c);
  EXPECT_EQ((std::tuple(c.vocabulary, c.heads, c.kv_heads, c.head_size)), (std::tuple(262208, 8, 4, 256)));
  EXPECT_EQ(c.rope, (RopeConfig{.base = 1e6, .scaling = RopeScaling::linear, .factor = 8}));
  EXPECT_TRUE(c.ties_head);
}

// Without a window no layer is local, and what is written says so.
TEST(ModelConfig, Gemma3WithoutLocalLayers) {
  const Architecture& family = architecture_of("gemma3_text");
  const ModelConfig c = family.read(parse_json(R"({
      "vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
      "num_key_value_heads": 1, "intermediate_size": 24, "sliding_window": 0, "layer_types": []})",
                                               "test"));
  check(c);
  EXPECT_EQ(family.read(family.write(c)), c);
}

// What files of llama.cpp say of scaled ropes: an attn_factor comes on top of YaRN's usual one, and older files have
// one number alone.
TEST(GgufConfig, ScaledRopesAreThoseOfLlamaCpp) {
  ModelConfig yarn = small("qwen3");
  yarn.rope = {.base = 10000, .scaling = RopeScaling::yarn, .factor = 4, .original_context = 8};
  yarn.rope.attention_factor = 1;  // the usual one is 0.1 ln 4 + 1
  GgufMetadata metadata;
  put_config(yarn, metadata);
  const double usual = 0.1 * std::log(4.0) + 1;
  EXPECT_NEAR(metadata.number("qwen3.rope.scaling.attn_factor"), 1 / usual, 1e-7);
  EXPECT_NEAR(config_of_gguf(GgufFacts{metadata, 32, false, {}}).rope.attention_factor, 1, 1e-7);
  yarn.rope.attention_factor = usual;
  GgufMetadata plain;
  put_config(yarn, plain);
  EXPECT_FALSE(plain.has("qwen3.rope.scaling.attn_factor"));

  ModelConfig llama = small("llama");
  llama.has_qk_norm = false;
  GgufMetadata old;
  put_config(llama, old);
  old.set("llama.rope.scale_linear", 2.0f);
  const RopeConfig scaled = config_of_gguf(GgufFacts{old, 32, false, {}}).rope;
  EXPECT_EQ(scaled.scaling, RopeScaling::linear);
  EXPECT_EQ(scaled.factor, 2);
}

// What the metadata are refused for.
std::string gguf_refusal(const GgufMetadata& metadata) {
  try {
    config_of_gguf(GgufFacts{metadata, 32, false, {}});
  } catch (const Error& error) { return error.what(); }
  return "nothing";
}

TEST(GgufConfig, YarnThatIsNotTheUsualIsRefused) {
  const float usual = float(0.1 * std::log(4.0) + 1);
  ModelConfig yarn = small("qwen3");
  yarn.rope = {.base = 10000, .scaling = RopeScaling::yarn, .factor = 4, .original_context = 8};
  yarn.rope.attention_factor = 0.1 * std::log(4.0) + 1;
  GgufMetadata metadata;
  put_config(yarn, metadata);
  metadata.set("qwen3.rope.scaling.yarn_attn_factor", usual);
  metadata.set("qwen3.rope.scaling.yarn_ext_factor", 1.0f);
  EXPECT_EQ(config_of_gguf(GgufFacts{metadata, 32, false, {}}), yarn);
  metadata.set("qwen3.rope.scaling.yarn_ext_factor", 0.5f);
  EXPECT_EQ(gguf_refusal(metadata),
            "[gguf] qwen3.rope.scaling.yarn_ext_factor: expected 1, got 0.5: it is not supported");
  metadata.set("qwen3.rope.scaling.yarn_attn_factor", 1.0f);
  EXPECT_EQ(gguf_refusal(metadata).find("[gguf] qwen3.rope.scaling.yarn_attn_factor: expected 1.13"), 0u)
      << gguf_refusal(metadata);
}

TEST(GgufConfig, Gemma3SaysItsPatternOrHasTheUsual) {
  GgufMetadata metadata;
  metadata.set("general.architecture", std::string("gemma3"));
  for (const auto& [key, value] : {std::pair{"block_count", 7u},
                                   {"context_length", 8u},
                                   {"embedding_length", 16u},
                                   {"feed_forward_length", 24u},
                                   {"attention.head_count", 2u},
                                   {"attention.head_count_kv", 1u},
                                   {"attention.key_length", 8u},
                                   {"attention.value_length", 8u},
                                   {"attention.sliding_window", 4u}})
    metadata.set(std::string("gemma3.") + key, value);
  const auto locals = [&] { return config_of_gguf(GgufFacts{metadata, 32, false, {}}).is_local_L; };
  EXPECT_EQ(locals(), (std::vector<bool>{true, true, true, true, true, false, true}));
  metadata.set("gemma3.attention.sliding_window_pattern", 3u);
  EXPECT_EQ(locals(), (std::vector<bool>{true, true, false, true, true, false, true}));
  metadata.set("gemma3.attention.sliding_window_pattern", std::vector<bool>(7, true));
  EXPECT_NE(gguf_refusal(metadata).find("expected a single value at 'gemma3.attention.sliding_window_pattern'"),
            std::string::npos)
      << gguf_refusal(metadata);
  metadata.set("gemma3.attention.sliding_window_pattern", 6u);
  metadata.set("gemma3.final_logit_softcapping", 30.0f);
  EXPECT_EQ(gguf_refusal(metadata),
            "[gguf] the metadata, in the words of [config.json] final_logit_softcapping is not supported");
}

}  // namespace
}  // namespace fude
