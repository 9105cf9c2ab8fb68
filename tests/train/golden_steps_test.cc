// Ten optimiser steps from the same weights on the same batch against PyTorch in float64 (tools/goldens/README.md).
//
// PyTorch's own float32 run of these steps is off by up to 1e-6 in loss and, over seeds and shapes, 1.1e-4 in gradient
// norm; the bounds are some multiples of that, far below what a wrong decay, bias correction or clip would do.
#include <gtest/gtest.h>

#include "model/load.h"
#include "tensor/safetensors.h"
#include "train/muon.h"
#include "train/optimizer.h"
#include "train/step.h"

namespace fude {
namespace {

constexpr double kLossBound = 2e-5, kNormBound = 5e-4;

void follow(const std::string& family, const char* steps_file, OptimizerOptions options) {
  const std::string folder = std::string(FUDE_SOURCE_DIR "/tests/goldens/") + family;
  const SafetensorsFile golden(folder + "/golden.safetensors"), steps(folder + "/" + steps_file);
  Device device(2);
  const auto model = load_model(device, folder);
  TokenBlock block;
  block.tokens_N = golden.read_i32("tokens"), block.targets_N = golden.read_i32("targets");
  block.sequence_starts_S1 = golden.read_i32("sequence_starts");
  for (size_t s = 0; s + 1 < block.sequence_starts_S1.size(); ++s)
    for (int32_t p = 0; p < block.sequence_starts_S1[s + 1] - block.sequence_starts_S1[s]; ++p)
      block.positions_N.push_back(p);
  for (int32_t target : block.targets_N) block.target_count += target >= 0;

  Optimizer optimizer(device, default_kernels(), model->parameters(), options);
  GradientSum gradients(*model, default_kernels(), {});
  const auto losses = steps.read_f32("loss"), norms = steps.read_f32("grad_norm");
  ASSERT_EQ(losses.size(), 10u);
  for (size_t step = 0; step < losses.size(); ++step) {
    EXPECT_NEAR(gradients.run({&block, 1}).mean(), losses[step], kLossBound) << family << " step " << step;
    EXPECT_NEAR(optimizer.step(gradients.gradients(), 1e-2f), norms[step], kNormBound) << family << " step " << step;
  }
}

TEST(GoldenSteps, AdamWFollowsPyTorch) {
  for (const Architecture* architecture : architectures())
    follow(architecture->family, "steps.safetensors",
           {.beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0.1f, .max_norm = 1.0});
}

TEST(GoldenSteps, MuonFollowsPyTorch) {
  OptimizerOptions options{.beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0.1f, .max_norm = 1.0};
  options.uses_muon = is_block_matrix;
  options.muon_rate_factor = 2.0f;  // 0.02
  options.muon_weight_decay = 0.1f;
  for (const char* family : {"qwen3", "gpt2"}) follow(family, "muon_steps.safetensors", options);
}

}  // namespace
}  // namespace fude
