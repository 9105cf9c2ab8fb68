// Logits, loss and gradients of tiny random models against float64 values made with transformers.
//
// The tolerance is derived: a value passes through `ops` operations, each a chain of at most K roundings; K random
// roundings of relative size 2^-24 leave √K of them, so the error is at most ops · √K · 2^-24 of the largest value.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "autograd/closure_tape.h"
#include "model/folder.h"
#include "model/load.h"
#include "ops/classifier_loss.h"
#include "tensor/safetensors.h"
#include "tests/support/golden_case.h"

namespace fude {
namespace {

constexpr double kRounding = 0x1p-24;

class Golden : public testing::TestWithParam<std::string> {
 protected:
  std::string folder = FUDE_SOURCE_DIR "/tests/goldens/" + GetParam();
  Device device{2};
  SafetensorsFile golden{folder + "/golden.safetensors"};
  std::unique_ptr<Transformer> model = load_model(device, folder);

  // Relative error of a forward pass: six ops a layer, eight with norms behind attention and MLP; embedding, norm and
  // classifier; backward is as long again.
  double forward_error() const {
    const ModelConfig& c = model->config();
    const double longest = double(std::max({c.width, c.feed_forward, c.heads * c.head_size}));
    return double((c.has_post_norms ? 8 : 6) * c.layers + 3) * std::sqrt(longest) * kRounding;
  }

  TokenBatch batch() {
    TokenBatch b;
    b.tokens_N = golden.read_i32("tokens");
    b.sequence_starts = golden.read_i32("sequence_starts");
    for (size_t s = 0; s + 1 < b.sequence_starts.size(); ++s)
      for (int32_t p = 0; p < b.sequence_starts[s + 1] - b.sequence_starts[s]; ++p) b.positions_N.push_back(p);
    return b;
  }
};

TEST_P(Golden, LogitsEqualTransformers) {
  const Pass pass{device, default_kernels()};
  BatchKv kv;
  const TokenBatch b = batch();
  const Tensor logits = model->logits(pass, model->forward(pass, b, kv));
  const std::vector<float> ours(logits.data<float>(), logits.data<float>() + logits.size());
  const auto exact = golden.read_f32("logits");
  EXPECT_LE(largest_difference(ours, exact), forward_error() * largest(exact));
}

TEST_P(Golden, LossAndGradientsEqualPyTorch) {
  ClosureTape tape;
  const Pass pass{device, default_kernels(), &tape};
  GradientStore gradients(device);
  BatchKv kv;
  const TokenBatch b = batch();
  const auto targets = golden.read_i32("targets");
  const int64_t counted = std::count_if(targets.begin(), targets.end(), [](int32_t t) { return t >= 0; });
  const Tensor hidden = model->forward(pass, b, kv);
  const auto loss_N = classifier_loss(pass, hidden, model->classifier(), targets,
                                      {&gradients, [&](int64_t, float) { return 1.0f / float(counted); }});
  tape.backward(gradients);

  double loss = 0;
  for (float l : loss_N) loss += double(l) / double(counted);
  const double exact_loss = golden.read_f32("loss")[0];
  EXPECT_NEAR(loss, exact_loss, forward_error() * exact_loss);

  for (const Parameter* p : model->parameters()) {
    const Tensor gradient = gradients.of(*p);
    ASSERT_FALSE(gradient.is_empty()) << p->name();
    int64_t row = 0;
    for (const Segment& segment : p->segments()) {
      std::vector<float> ours(size_t(segment.rows * p->cols()));
      p->get_rows_of(gradient, row, segment.rows, ours.data());
      row += segment.rows;
      auto exact = golden.read_f32("grad." + segment.name);
      if (p->is_matrix() && segment.transposed_in_file) {
        std::vector<float> turned(exact.size());
        for (int64_t k = 0; k < p->cols(); ++k)
          for (int64_t o = 0; o < segment.rows; ++o)
            turned[size_t(o * p->cols() + k)] = exact[size_t(k * segment.rows + o)];
        exact = turned;
      }
      EXPECT_LE(largest_difference(ours, exact), 2 * forward_error() * largest(exact)) << segment.name;
    }
  }
}

TEST_P(Golden, SavedFolderLoadsWithTheSameBits) {
  const std::string copy = testing::TempDir() + "/fude_roundtrip_" + GetParam();
  save_model(*model, copy);
  const auto again = load_model(device, copy);
  const auto before = model->parameters(), after = again->parameters();
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    const Tensor &a = before[i]->values(), &b = after[i]->values();
    ASSERT_EQ(a.size(), b.size());
    EXPECT_TRUE(std::equal(a.data<float>(), a.data<float>() + a.size(), b.data<float>())) << before[i]->name();
  }
}

// llama.cpp's converter and Fude's reader of its files cancel out.
TEST_P(Golden, GgufOfTheSameWeightsIsTheSameModel) {
  const std::string path = folder + "/model.gguf";
  if (!file_exists(path)) GTEST_SKIP() << "no " << path;
  const auto other = load_model(device, path);
  EXPECT_EQ(other->config(), model->config());
  const auto ours = model->parameters(), theirs = other->parameters();
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    const Tensor &a = ours[i]->values(), &b = theirs[i]->values();
    ASSERT_EQ(a.size(), b.size());
    EXPECT_TRUE(std::equal(a.data<float>(), a.data<float>() + a.size(), b.data<float>())) << ours[i]->name();
  }
  const Pass pass{device, default_kernels()};
  BatchKv kv;
  const TokenBatch b = batch();
  const Tensor logits = other->logits(pass, other->forward(pass, b, kv));
  const std::vector<float> got(logits.data<float>(), logits.data<float>() + logits.size());
  const auto exact = golden.read_f32("logits");
  EXPECT_LE(largest_difference(got, exact), forward_error() * largest(exact));
}

// Every family has a golden of its name, variants have their own.
std::vector<std::string> goldens() {
  std::vector<std::string> names{"qwen3_untied", "gpt2_untied",    "llama_linear", "llama_llama3",
                                 "llama_yarn",   "gemma3_pattern", "gemma3"};
  for (const Architecture* architecture : architectures()) names.push_back(architecture->family);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Families, Golden, testing::ValuesIn(goldens()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace fude
