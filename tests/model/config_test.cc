#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
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
  for (const char* family : {"llama", "qwen3"})
    for (const char* change :
         {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}})",
          R"({"rope_scaling": {"type": "linear", "factor": 4.0}})", R"({"rope_parameters": {"rope_type": "yarn"}})"})
      EXPECT_THROW(read(family, change), Error) << change;
  EXPECT_NO_THROW(read("llama", R"({"rope_scaling": {"type": "default"}})"));
  for (const char* change :
       {R"({"scale_attn_by_inverse_layer_idx": true})", R"({"scale_attn_weights": false})",
        R"({"n_embd": 4611686018427387904})", R"({"n_embd": 15})", R"({"n_embd": -16, "n_head": -2})"})
    EXPECT_THROW(read("gpt2", change), Error) << change;
}

}  // namespace
}  // namespace fude
