// Ten optimiser steps from the same weights on the same batch against PyTorch in float64 (tools/goldens/README.md):
// losses and gradient norms before each step, and every parameter after the last.
//
// The bound is kDraws times the largest error of PyTorch's own float32 run of the same steps: of a parameter's values,
// of the ten losses, of the ten norms. Both errors are draws of one distribution. AdamW divides a gradient by its own
// size, so rounding noise in one near zero grows to a part of a step, and gradients near zero are as dense as any: the
// errors are z_j / t_j, with z normal and t the arrivals of a Poisson process, the same in both runs. Of two draws of
// the largest, one exceeds 64 times the other once in 4,000.
//
// What the bound tells apart, from the reference in float64 (make_model.py): in these errors, in every golden some
// parameter is moved by at least 180 if a beta is off by 0.001, 260 if the learning rate is off by 0.1 %, 1,400 if eps
// is 1e-7, 2,500 without decay of the embeddings, 30,000 with decay of norms and biases, 60,000 without bias
// correction.
#include <gtest/gtest.h>

#include "model/file_layout.h"
#include "model/load.h"
#include "tensor/safetensors.h"
#include "tests/support/golden_case.h"
#include "train/muon.h"
#include "train/optimizer.h"
#include "train/step.h"

namespace fude {
namespace {

constexpr double kDraws = 64;

// The golden values themselves are rounded to f32.
double bound_of(double f32_error, const std::vector<float>& exact) {
  return kDraws * f32_error + 0x1p-24 * largest(exact);
}

// GPT-2's biases of Q, K and V without K's: no loss depends on it, so that its gradient is rounding noise, and AdamW
// turns noise into whole steps.
std::vector<float> without_key_bias(std::vector<float> qkv) {
  const auto third = std::ptrdiff_t(qkv.size() / 3);
  qkv.erase(qkv.begin() + third, qkv.begin() + 2 * third);
  return qkv;
}

void compare_parameters(const Transformer& model, const SafetensorsFile& steps, const std::string& what) {
  for (const Parameter* parameter : model.parameters()) {
    int64_t row = 0;
    for (const Segment& segment : parameter->segments()) {
      std::vector<float> ours(size_t(segment.rows * parameter->cols()));
      parameter->get_rows(row, segment.rows, ours.data());
      row += segment.rows;
      ours = to_family_form(*parameter, segment, std::move(ours));
      std::vector<float> exact = steps.read_f32("param." + segment.name);
      ASSERT_EQ(ours.size(), exact.size()) << segment.name;
      if (segment.name.ends_with("c_attn.bias")) ours = without_key_bias(ours), exact = without_key_bias(exact);
      const double error = steps.read_f32("param_f32_error." + segment.name)[0];
      EXPECT_LE(largest_difference(ours, exact), bound_of(error, exact)) << what << ' ' << segment.name;
    }
  }
}

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
  const double loss_bound = bound_of(largest_difference(losses, steps.read_f32("loss_f32")), losses);
  const double norm_bound = bound_of(largest_difference(norms, steps.read_f32("grad_norm_f32")), norms);
  ASSERT_EQ(losses.size(), 10u);
  for (size_t step = 0; step < losses.size(); ++step) {
    EXPECT_NEAR(gradients.run({&block, 1}).mean(), losses[step], loss_bound) << family << " step " << step;
    EXPECT_NEAR(optimizer.step(gradients.gradients(), 1e-2f), norms[step], norm_bound) << family << " step " << step;
  }
  compare_parameters(*model, steps, family + "/" + steps_file);
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
