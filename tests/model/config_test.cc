#include <gtest/gtest.h>

#include "base/error.h"
#include "model/transformer.h"

namespace fude {
namespace {

ModelConfig small(const char* family) {
  ModelConfig c;
  c.family = family;
  c.vocabulary = 32, c.width = 16, c.layers = 1, c.heads = 2, c.kv_heads = 1, c.head_size = 8, c.feed_forward = 24, c.context = 8;
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

}  // namespace
}  // namespace fude
