// A program that generates and is linked without autograd (tests/CMakeLists.txt): that it links is the test.
#include <gtest/gtest.h>

#include "infer/generate.h"
#include "model/load.h"

namespace fude {
namespace {

TEST(Wall, GeneratesWithoutAutograd) {
  Device device(1);
  const auto model = load_model(device, FUDE_SOURCE_DIR "/tests/goldens/qwen3");
  Engine engine(*model, default_kernels());
  std::vector<int32_t> answer;
  const Finish finish = generate(engine, {.prompt = {1, 2, 3}, .sampling = {.temperature = 0}, .max_tokens = 4},
                                 [&](const AnswerToken& token) {
                                   answer.push_back(token.sampled.token);
                                   return true;
                                 });
  EXPECT_EQ(finish.reason, FinishReason::length);
  EXPECT_EQ(answer.size(), 4u);
}

}  // namespace
}  // namespace fude
