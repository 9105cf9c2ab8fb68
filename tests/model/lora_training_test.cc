// Adapters that are trained: gradients against PEFT's, what a new one begins as, saving, merging.
#include "model/lora_training.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "autograd/closure_tape.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "model/export_folder.h"
#include "model/folder.h"
#include "model/load.h"
#include "model/peft_export.h"
#include "model/peft_folder.h"
#include "tensor/safetensors.h"
#include "tests/support/golden_case.h"

namespace fude {
namespace {

constexpr double kRoundingUnit = 0x1p-24;
constexpr Precision kKept{DType::f32, /*keeps_master=*/false, /*keeps_formats=*/true};

std::vector<float> values_of(const Parameter& matrix) {
  std::vector<float> values(size_t(matrix.count()));
  matrix.get_rows(0, matrix.rows(), values.data());
  return values;
}

class LoraTraining : public testing::TestWithParam<const char*> {
 protected:
  struct Result {
    std::vector<float> loss_N, logits;
    std::vector<std::vector<float>> gradients;  // of parameters(adapter)
  };

  // The losses of the golden's targets, and the gradients of their mean where there is a tape. The head is an op like
  // the others here: so an adapter of it is trained too.
  Result run(const Transformer& model, Adapter* adapter, bool has_tape, bool checkpoint_blocks = false) {
    TokenBatch batch;
    batch.tokens_N = golden.read_i32("tokens");
    batch.sequence_starts = golden.read_i32("sequence_starts");
    for (size_t s = 0; s + 1 < batch.sequence_starts.size(); ++s)
      for (int32_t p = 0; p < batch.sequence_starts[s + 1] - batch.sequence_starts[s]; ++p)
        batch.positions_N.push_back(p);
    if (adapter != nullptr) batch.adapters = {{adapter, 0, batch.size()}};
    const std::vector<int32_t> targets = golden.read_i32("targets");
    std::unordered_set<const Parameter*> trained;
    if (adapter != nullptr)
      for (const Parameter* p : parameters(*adapter)) trained.insert(p);
    GradientStore gradients(device, trained);
    ClosureTape tape;
    const Pass pass{device, default_kernels(), has_tape ? &tape : nullptr, checkpoint_blocks};
    const auto counted = float(std::ranges::count_if(targets, [](int32_t t) { return t >= 0; }));
    BatchKv kv;
    Result result;
    {
      const Tensor hidden_NC = model.forward(pass, batch, kv), y_NV = model.logits(pass, hidden_NC, batch.adapters);
      result.logits.assign(y_NV.data<float>(), y_NV.data<float>() + y_NV.size());
      Tensor dy_NV = gradients.into(y_NV).tensor;
      std::ranges::copy(result.logits, dy_NV.data<float>());
      result.loss_N.resize(targets.size());
      const TargetSlope slope = [&](int64_t, float) { return 1 / counted; };
      pass.kernels.softmax_loss(pass.threads(), dy_NV, y_NV.cols(), {targets.data(), 1, 0, &slope},
                                result.loss_N.data());
    }
    if (!has_tape) return result;
    tape.backward(gradients);
    for (const Parameter* p : model.parameters()) EXPECT_TRUE(gradients.of(*p).is_empty()) << p->name();
    for (const Parameter* p : parameters(*adapter)) {
      const Tensor gradient = gradients.of(*p);
      if (gradient.is_empty()) {
        ADD_FAILURE() << p->name() << " has no gradient";
        continue;
      }
      result.gradients.emplace_back(size_t(p->count()));
      p->get_rows_of(gradient, 0, p->rows(), result.gradients.back().data());
    }
    return result;
  }
  double mean(const std::vector<float>& loss_N) {
    double sum = 0;
    for (const float loss : loss_N) sum += double(loss);
    return sum / double(std::ranges::count_if(golden.read_i32("targets"), [](int32_t t) { return t >= 0; }));
  }
  // Of a forward pass, as in lora_test.cc.
  double error(const Transformer& model) const {
    const ModelConfig& c = model.config();
    const double longest = double(std::max({c.width, c.feed_forward, c.heads * c.head_size}));
    return (double((c.has_post_norms ? 8 : 6) + 4 * 4) * double(c.layers) + 3 + 2 * 4) * std::sqrt(longest) *
           kRoundingUnit;
  }
  std::string work(const std::string& name) const {
    const std::string path = testing::TempDir() + "fude_lora_training_" + GetParam() + "_" + name;
    std::filesystem::remove_all(path);
    return path;
  }

  const std::string folder = std::string(FUDE_SOURCE_DIR "/tests/goldens/") + GetParam();
  Device device{2};
  SafetensorsFile golden{folder + "/golden.safetensors"};
};

// Backward is as long as forward again.
TEST_P(LoraTraining, GradientsEqualPeft) {
  const auto model = load_model(device, folder);
  const auto adapter = load_adapter(*model, folder + "/adapter");
  const SafetensorsFile expected(folder + "/adapter/gradients.safetensors");
  const Result result = run(*model, adapter.get(), true);
  const double loss = double(expected.read_f32("loss")[0]);
  EXPECT_NEAR(mean(result.loss_N), loss, error(*model) * loss);
  const auto all = parameters(*adapter);
  EXPECT_EQ(all.size() + 1, expected.entries().size());
  for (size_t i = 0; i < all.size(); ++i) {
    const auto exact = expected.read_f32("grad." + all[i]->name());
    EXPECT_LE(largest_difference(result.gradients[i], exact), 2 * error(*model) * largest(exact)) << all[i]->name();
  }
  EXPECT_EQ(run(*model, adapter.get(), true, /*checkpoint_blocks=*/true).gradients, result.gradients);
}

// Weights in the halves of their file: the bits of the f32 model, forward and back.
TEST_P(LoraTraining, HalvesAreTheirValues) {
  for (const WeightType type : {WeightType::f16, WeightType::bf16}) {
    const std::string path = work("halves");
    export_folder(*open_folder(folder), path, type, Json::object(), {});
    const auto f32 = load_model(device, path);
    const auto adapter = load_adapter(*f32, folder + "/adapter");
    const Result expected = run(*f32, adapter.get(), true);
    const auto kept = load_model(device, path, kKept);
    const auto beside = load_adapter(*kept, folder + "/adapter");
    EXPECT_TRUE(kept->block_matrices()[0]->is_in_halves());
    const Result got = run(*kept, beside.get(), true);
    EXPECT_EQ(got.loss_N, expected.loss_N);
    EXPECT_EQ(got.gradients, expected.gradients);
  }
}

TEST_P(LoraTraining, ANewOneChangesNothingYet) {
  const auto model = load_model(device, folder);
  const LoraOptions options{.rank = 5, .alpha = 15, .seed = 3};
  const auto adapter = new_adapter(*model, options), again = new_adapter(*model, options);
  const auto all = parameters(*adapter), others = parameters(*again);
  ASSERT_EQ(all.size(), 2 * block_places(*model).size());
  std::set<std::string> names;
  double squares = 0, count = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const std::vector<float> values = values_of(*all[i]);
    EXPECT_EQ(values, values_of(*others[i]));
    names.insert(all[i]->name());
    if (all[i]->name().ends_with(".lora_B.weight")) {
      EXPECT_EQ(largest(values), 0.0);
      continue;
    }
    EXPECT_TRUE(all[i]->name().ends_with(".lora_A.weight")) << all[i]->name();
    EXPECT_EQ(all[i]->rows(), 5);
    const double bound = 1 / std::sqrt(double(all[i]->cols()));
    EXPECT_LE(largest(values), bound * (1 + kRoundingUnit));
    for (const float value : values) squares += double(value) * double(value) / (bound * bound), ++count;
  }
  EXPECT_EQ(names.size(), all.size());
  // u² of a uniform u in ±1 has mean 1/3 and variance 4/45.
  EXPECT_NEAR(squares / count, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / count));
  for (const auto& [weight, parts] : adapter->parts)
    for (const LowRank& part : parts) EXPECT_EQ(part.scale, 3.0f);
  EXPECT_EQ(run(*model, adapter.get(), false).logits, run(*model, nullptr, false).logits);
  // Another seed, other values; fewer targets, the same for those.
  EXPECT_NE(values_of(*parameters(*new_adapter(*model, {.rank = 5, .seed = 4}))[0]), values_of(*all[0]));
  const bool is_gpt2 = std::string(GetParam()) == "gpt2";
  LoraOptions some = options;
  some.targets = {is_gpt2 ? "attn.c_proj" : "o_proj"}, some.is_rank_stabilised = true;
  const auto fewer = new_adapter(*model, some);
  EXPECT_EQ(int64_t(parameters(*fewer).size()), 2 * model->config().layers);
  for (const Parameter* matrix : parameters(*fewer)) {
    const auto same = std::ranges::find(all, matrix->name(), [](const Parameter* p) { return p->name(); });
    ASSERT_NE(same, all.end()) << matrix->name();
    EXPECT_EQ(values_of(*matrix), values_of(**same));
  }
  EXPECT_EQ(fewer->parts.begin()->second[0].scale, float(15 / std::sqrt(5.0)));
}

TEST_P(LoraTraining, RefusesWhatIsNotThere) {
  const auto model = load_model(device, folder);
  const auto refuses = [&](const LoraOptions& options, const std::string& words) {
    try {
      new_adapter(*model, options);
      FAIL() << words;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  refuses({.rank = 0}, "rank");
  refuses({.alpha = HUGE_VAL}, "scale");
  refuses({.targets = {"proj"}},
          std::string(GetParam()) == "gpt2" ? "c_attn, c_proj, c_fc, got proj" : "down_proj, got proj");
  refuses({.targets = {"lm_head"}}, "got lm_head");
}

// What is saved loads with the same values, by way of the file that PEFT writes (tools/goldens/check_adapter.py opens
// it in peft).
TEST_P(LoraTraining, SavedFolderIsTheSame) {
  const auto model = load_model(device, folder);
  for (const bool is_stabilised : {false, true}) {
    LoraOptions options{.rank = 3, .alpha = is_stabilised ? 2.5 : 6, .is_rank_stabilised = is_stabilised, .seed = 8};
    if (is_stabilised) options.targets = {std::string(GetParam()) == "gpt2" ? "mlp.c_proj" : "self_attn.q_proj"};
    const auto adapter = new_adapter(*model, options);
    for (Parameter* p : parameters(*adapter)) {
      std::vector<float> values = values_of(*p);
      for (size_t i = 0; i < values.size(); ++i) values[i] += 0.1f * std::sin(float(i * i + p->name().size()));
      p->set_rows(0, p->rows(), values.data());
    }
    const std::string path = work(is_stabilised ? "some" : "all");
    save_peft_folder(*model, *adapter, options, path, "base\xe8");  // no UTF-8
    EXPECT_EQ(read_peft_config(path).base_model, "base\uFFFD");
    const auto again = load_adapter(*model, path);
    const auto before = parameters(*adapter), after = parameters(*again);
    ASSERT_EQ(before.size(), after.size());
    for (size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(before[i]->name(), after[i]->name());
      EXPECT_EQ(values_of(*before[i]), values_of(*after[i])) << before[i]->name();
    }
    EXPECT_EQ(run(*model, again.get(), false).logits, run(*model, adapter.get(), false).logits);
    EXPECT_NE(run(*model, again.get(), false).logits, run(*model, nullptr, false).logits);
    LoraOptions other = options;
    other.alpha = 7;
    EXPECT_THROW(save_peft_folder(*model, *adapter, other, path), Error);
    other = options, other.rank = 4, other.alpha = options.alpha * 4 / 3;
    EXPECT_THROW(save_peft_folder(*model, *adapter, other, path), Error);
    other = options, other.targets = {std::string(GetParam()) == "gpt2" ? "c_fc" : "v_proj"};
    EXPECT_THROW(save_peft_folder(*model, *adapter, other, path), Error);
  }
}

TEST_P(LoraTraining, AnAdapterOfAFileIsTrainedFurther) {
  const auto model = load_model(device, folder);
  LoraOptions options{.rank = 3, .alpha = 5, .is_rank_stabilised = true, .seed = 4};
  const std::string path = work("further");
  const auto first = new_adapter(*model, options);
  for (Parameter* matrix : parameters(*first)) {
    std::vector<float> values = values_of(*matrix);
    for (float& value : values) value += 0.25f;
    matrix->set_rows(0, matrix->rows(), values.data());
  }
  save_peft_folder(*model, *first, options, path);
  const LoraOptions further = options_of_adapter(path);
  EXPECT_EQ(further.scale(), options.scale());
  const auto again = new_adapter(*model, further);
  const auto before = parameters(*first), after = parameters(*again);
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(values_of(*before[i]), values_of(*after[i]));
  save_peft_folder(*model, *again, further, work("written"));

  // One whose modules differ cannot be written again, and so is not begun.
  Json config = parse_json(read_file(path + kPeftConfigName), path);
  config["alpha_pattern"] = {{"layers.0.mlp", 7}};
  write_file(path + kPeftConfigName, config.dump());
  EXPECT_THROW(options_of_adapter(path), Error);
}

// Both sides are off the exact logits by a forward pass's error; the sum of a weight and its product rounds once more.
TEST_P(LoraTraining, MergedItSaysTheSame) {
  for (const char* name : {"/adapter", "/adapter_ends"}) {
    if (!is_peft_folder(folder + name)) continue;
    const auto model = load_model(device, folder);
    const auto adapter = load_adapter(*model, folder + name);
    const std::vector<float> plain = run(*model, nullptr, false).logits,
                             expected = run(*model, adapter.get(), false).logits;
    const bool is_tied = model->config().ties_head && std::string(name) == "/adapter_ends";
    if (is_tied) {
      EXPECT_THROW(merge_adapter(*model, *adapter), Error);
      EXPECT_EQ(run(*model, nullptr, false).logits, plain);
      continue;
    }
    merge_adapter(*model, *adapter);
    const std::vector<float> merged = run(*model, nullptr, false).logits;
    EXPECT_LE(largest_difference(merged, expected), 2 * error(*model) * largest(expected));
    EXPECT_GT(largest_difference(merged, plain), 0.05 * largest(expected));
  }
}

TEST_P(LoraTraining, MergingNeedsValues) {
  const std::string path = work("merging");
  export_folder(*open_folder(folder), path, WeightType::bf16, Json::object(), {});
  for (const Precision precision : {kKept, Precision{DType::bf16, /*keeps_master=*/false}}) {
    const auto model = load_model(device, path, precision);
    const auto adapter = load_adapter(*model, folder + "/adapter");
    EXPECT_THROW(merge_adapter(*model, *adapter), Error);
  }
  const auto model = load_model(device, folder), other = load_model(device, folder);
  EXPECT_THROW(merge_adapter(*model, *load_adapter(*other, folder + "/adapter")), Error);
}

INSTANTIATE_TEST_SUITE_P(Families, LoraTraining, testing::Values("llama", "qwen2", "qwen3", "gemma3_text", "gpt2"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace fude
