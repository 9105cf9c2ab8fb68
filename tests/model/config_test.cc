#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "model/transformer.h"

namespace fude {
namespace {

ModelConfig small(const char* family) {
  ModelConfig c;
  c.family = family;
  c.vocabulary = 32, c.width = 16, c.layers = 1, c.heads = 2, c.kv_heads = 1, c.head_size = 8,
  c.feed_forward = 24, c.context = 8;
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
  qwen3.has_bias = true;
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

}  // namespace
}  // namespace fude
