// Losses and gradients of SFT and GRPO against TRL's own trainers in float64 (tools/goldens/make_trl.py).
//
// Tolerances are those of tests/model/golden_test.cc, carried on by derivatives of TRL's loss that lie beside the
// goldens. With n over tokens, s the slope of the loss in log p, and f the relative error of a forward pass, log p is
// off by 2 f of the largest logit at most; call that d. Then the loss is off by d · Σ |s|, and a gradient by 2 f · Σ
// |s| times the largest derivative of that log p, and by d · Σ |ds / d log p| times the same.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "model/folder.h"
#include "model/load.h"
#include "posttrain/grpo.h"
#include "tensor/safetensors.h"
#include "tests/support/chat_case.h"
#include "train/step.h"

namespace fude {
namespace {

constexpr double kUnitRoundoff = 0x1p-24;

struct NoTask final : Task {
  std::string_view name() const override { return "none"; }
  Example practice(Random&, Language) const override { fail("none"); }
  int64_t held_out_count() const override { return 0; }
  Example held_out(int64_t) const override { fail("none"); }
  bool verify(const Question&, std::string_view) const override { return false; }
};

class TrlGolden : public testing::TestWithParam<std::string> {
 protected:
  using Tokens = std::vector<int32_t>;

  const std::string root = FUDE_SOURCE_DIR "/tests/goldens/";
  Device device{2};
  std::unique_ptr<Transformer> model = load_model(device, root + GetParam());
  SafetensorsFile golden{root + "trl/" + GetParam() + ".safetensors"};
  const Json inputs = parse_json(read_file(root + "trl/" + GetParam() + ".json"), "golden");

  double forward_error() const {
    const ModelConfig& c = model->config();
    const double longest = double(std::max({c.width, c.feed_forward, c.heads * c.head_size}));
    return double(6 * c.layers + 3) * std::sqrt(longest) * kUnitRoundoff;
  }
  double logprob_error(double temperature) const {
    return 2 * forward_error() * inputs.at("largest_logit").get<double>() / temperature;
  }

  static void append(TokenBlock& block, const Tokens& tokens, const std::vector<bool>& is_learned) {
    if (block.sequence_starts_S1.empty()) block.sequence_starts_S1 = {0};
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      block.tokens_N.push_back(tokens[i]), block.positions_N.push_back(int32_t(i));
      block.targets_N.push_back(is_learned[i + 1] ? tokens[i + 1] : -1);
      block.target_count += is_learned[i + 1] ? 1 : 0;
    }
    block.sequence_starts_S1.push_back(int32_t(block.tokens_N.size()));
    ++block.rows;
  }

  // Those values of each parameter's gradient that the golden has, by the names of the file.
  std::map<std::string, std::vector<float>> sampled(const GradientStore& gradients) {
    std::map<std::string, std::vector<float>> all;
    for (const Parameter* p : model->parameters()) {
      const Tensor gradient = gradients.of(*p);
      EXPECT_FALSE(gradient.is_empty()) << p->name();
      int64_t row = 0;
      for (const Segment& segment : p->segments()) {
        std::vector<float> values(size_t(segment.rows * p->cols()));
        p->get_rows_of(gradient, row, segment.rows, values.data());
        row += segment.rows;
        const size_t stride = std::max<size_t>(1, values.size() / 64) | 1;
        for (size_t i = 0; i < values.size(); i += stride) all[segment.name].push_back(values[i]);
      }
    }
    return all;
  }

  void expect_gradients(const GradientStore& gradients, const std::string& name, double temperature) {
    const auto ours = sampled(gradients);
    const auto exact = golden.read_f32(name + ".gradients"), sizes = golden.read_f32(name + ".sizes");
    ASSERT_EQ(sizes.size(), 2 * ours.size());
    size_t next = 0, parameter = 0;
    double worst = 0;
    for (const auto& [parameter_name, values] : ours) {
      const double tolerance = 2 * forward_error() * double(sizes[2 * parameter]) +
                               logprob_error(temperature) * double(sizes[2 * parameter + 1]);
      ASSERT_LE(next + values.size(), exact.size());
      for (float value : values) {
        EXPECT_NEAR(value, exact[next], tolerance) << name << " " << parameter_name;
        worst = std::max(worst, std::abs(double(value) - double(exact[next])) / tolerance);
        ++next;
      }
      ++parameter;
    }
    EXPECT_EQ(next, exact.size());
    RecordProperty("largest share of the tolerance, " + name, std::to_string(worst));
  }

  static PolicyOptions options_of(const Json& inputs, const Json& one) {
    using Normaliser = PolicyOptions::Normaliser;
    using Scale = PolicyOptions::Scale;
    PolicyOptions options;
    options.normaliser =
        std::map<std::string, Normaliser>{
            {"dapo", Normaliser::tokens}, {"grpo", Normaliser::sequences}, {"dr_grpo", Normaliser::constant}}
            .at(one.at("loss_type"));
    options.scale =
        std::map<std::string, Scale>{{"none", Scale::none}, {"group", Scale::group}, {"batch", Scale::batch}}.at(
            one.at("scale"));
    inputs.at("clip").at(0).get_to(options.clip_low), inputs.at("clip").at(1).get_to(options.clip_high);
    one.at("kl").get_to(options.kl);
    return options;
  }

  std::string key_of(double temperature) const { return temperature == 1 ? "1.0" : fmt::format("{}", temperature); }
};

TEST_P(TrlGolden, Sft) {
  TokenBlock block;
  for (const Json& conversation : inputs.at("conversations")) {
    const auto mask = conversation.at("assistant_masks").get<Tokens>();
    append(block, conversation.at("input_ids").get<Tokens>(), {mask.begin(), mask.end()});
  }
  GradientSum sum(*model, default_kernels(), {});
  const BatchLoss loss = sum.run(std::span(&block, 1));
  EXPECT_NEAR(loss.mean(), golden.read_f32("sft.loss")[0], logprob_error(1));
  expect_gradients(sum.gradients(), "sft", 1);
}

TEST_P(TrlGolden, Advantages) {
  const auto rewards = inputs.at("rewards").get<std::vector<double>>();
  for (const Json& one : inputs.at("cases")) {
    const auto ours = advantages_of(rewards, inputs.at("group"), options_of(inputs, one).scale);
    const auto exact = golden.read_f32("advantages." + one.at("scale").get<std::string>());
    ASSERT_EQ(ours.size(), exact.size());
    // What float32 makes of the golden.
    for (size_t i = 0; i < ours.size(); ++i)
      EXPECT_NEAR(ours[i], exact[i], std::abs(ours[i]) * kUnitRoundoff) << one.dump();
  }
}

// The objective by itself, with weights as the papers have them.
TEST_P(TrlGolden, PolicyGradient) {
  const auto rewards = inputs.at("rewards").get<std::vector<double>>();
  const auto prompts = inputs.at("prompts").get<std::vector<Tokens>>(),
             answers = inputs.at("answers").get<std::vector<Tokens>>();
  const size_t group = inputs.at("group"), truncated = inputs.at("truncated");
  for (size_t c = 0; c < inputs.at("cases").size(); ++c) {
    const Json& one = inputs.at("cases").at(c);
    SCOPED_TRACE(one.dump());
    const PolicyOptions options = options_of(inputs, one);
    const double temperature = one.at("temperature");
    const bool is_on_policy = !one.at("off_policy").get<bool>(), masks = one.at("masks_truncated");
    const auto advantages = advantages_of(rewards, int64_t(group), options.scale);
    double tokens = 0;
    for (size_t i = 0; i < answers.size(); ++i) tokens += masks && i == truncated ? 0 : double(answers[i].size());
    std::vector<TokenBlock> blocks(2);
    std::vector<std::vector<PolicyToken>> streams(2);
    for (size_t i = 0; i < answers.size(); ++i) {
      const Tokens& prompt = prompts[i / group];
      const size_t b = i < 5 ? 0 : 1;
      Tokens all = prompt;
      all.insert(all.end(), answers[i].begin(), answers[i].end());
      std::vector<bool> is_learned(all.size());
      std::fill(is_learned.begin() + int64_t(prompt.size()), is_learned.end(), true);
      append(blocks[b], all, is_learned);
      const double each = options.normaliser == PolicyOptions::Normaliser::tokens ? 1 / tokens
                          : options.normaliser == PolicyOptions::Normaliser::sequences
                              ? 1 / double(answers[i].size() * answers.size())
                              : 1 / double(inputs.at("longest").get<size_t>() * answers.size());
      streams[b].resize(blocks[b].tokens_N.size());
      for (size_t j = 0; j < answers[i].size(); ++j)
        streams[b][streams[b].size() - answers[i].size() + j] = {
            float(advantages[i]), masks && i == truncated ? 0.0f : float(each),
            inputs.at("sampled").at(key_of(temperature)).at(i).at(j),
            inputs.at("reference").at(key_of(temperature)).at(i).at(j)};
    }
    PolicyObjective policy(streams, options, is_on_policy);
    GradientSum sum(*model, default_kernels(), {});
    sum.run(blocks, {[&](size_t block, int64_t row, float logprob) { return policy.slope(block, row, logprob); },
                     float(1 / temperature)});
    const std::string name = std::to_string(c);
    // The weights add to 1 at most, ratios stay below 2, and advantage, weight and term are rounded once each.
    const double largest = std::abs(*std::ranges::max_element(advantages, {}, [](double a) { return std::abs(a); }));
    EXPECT_NEAR(
        policy.sums().loss, golden.read_f32(name + ".loss")[0],
        logprob_error(temperature) * double(golden.read_f32(name + ".slopes")[0]) + 3 * 2 * largest * kUnitRoundoff);
    expect_gradients(sum.gradients(), name, temperature);
    if (!masks) {
      const auto clipped = one.at("clipped").get<std::vector<double>>();
      EXPECT_EQ(policy.sums().clipped, clipped[0] + clipped[1]);
    }
  }
}

// All of what follows a rollout, on answers that a saved position brings along.
TEST_P(TrlGolden, StepBehindARollout) {
  const Chat chat(byte_tokenizer());
  const NoTask task;
  Engine engine(*model, default_kernels(), {.cache_tokens = 256});
  const auto rewards = inputs.at("rewards").get<std::vector<double>>();
  const size_t group = inputs.at("group");
  int cases = 0;
  for (size_t c = 0; c < inputs.at("cases").size(); ++c) {
    const Json& one = inputs.at("cases").at(c);
    if (!one.at("off_policy").get<bool>()) continue;
    SCOPED_TRACE(one.dump());
    const double temperature = one.at("temperature");
    Json state = {{"drawn", 3},
                  {"next_update", 1},
                  {"doctor", Doctor().state()},
                  {"groups", {3, 1}},
                  {"means", Json::array_t(4, 0.0)}};
    for (size_t i = 0; i < rewards.size(); ++i)
      state["answers"].push_back({{"prompt", inputs.at("prompts").at(i / group)},
                                  {"answer", inputs.at("answers").at(i)},
                                  {"logprobs", inputs.at("sampled").at(key_of(temperature)).at(i)},
                                  {"reference", inputs.at("reference").at(key_of(temperature)).at(i)},
                                  {"reward", rewards[i]},
                                  {"is_right", false},
                                  {"is_truncated", i == inputs.at("truncated").get<size_t>()}});
    const GrpoOptions options{.questions = 3,
                              .answers = int64_t(group),
                              .max_tokens = inputs.at("longest"),
                              .temperature = temperature,
                              .epochs = 2,
                              .learns_truncated = !one.at("masks_truncated").get<bool>(),
                              .policy = options_of(inputs, one),
                              .block_tokens = 32};
    GrpoBatches batches({.model = *model,
                         .kernels = default_kernels(),
                         .engine = engine,
                         .chat = chat,
                         .task = task,
                         .reference = model.get()},
                        options);
    batches.restore(state, "golden");
    const Batch batch = batches.next();
    EXPECT_GT(batch.blocks.size(), 1u);
    GradientSum sum(*model, default_kernels(), {});
    sum.run(batch.blocks, batch.objective);
    expect_gradients(sum.gradients(), std::to_string(c), temperature);
    StepMetrics line;
    batches.learned(line);
    for (const auto& [name, value] : line.values)
      if (name == "kl from the reference" && options.learns_truncated) {
        EXPECT_NEAR(value, one.at("mean_kl").get<double>(), logprob_error(temperature));
        ++cases;
      }
  }
  EXPECT_GE(cases, 3);
}

INSTANTIATE_TEST_SUITE_P(Families, TrlGolden, testing::Values("llama", "qwen3"));

}  // namespace
}  // namespace fude
