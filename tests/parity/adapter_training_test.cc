// An adapter between its trainer and the engine that draws with it, with ==: the log-probability of a drawn token is
// what training computes for it, before an update and after, whatever the weights beside it are kept in.
#include <gtest/gtest.h>

#include "autograd/closure_tape.h"
#include "infer/generate.h"
#include "model/lora_training.h"
#include "ops/classifier_loss.h"
#include "tests/support/engine_case.h"
#include "train/optimizer.h"

namespace fude {
namespace {

// What the model's matrices are kept in.
struct BaseKind {
  const char* name;
  const char* family;
  DType compute;
  WeightType kept;  // f32: nothing is

  friend std::ostream& operator<<(std::ostream& out, const BaseKind& kind) { return out << kind.name; }
};

class AdapterTraining : public testing::TestWithParam<BaseKind> {
 protected:
  AdapterTraining() {
    ModelConfig c = small_config(GetParam().family);
    c.feed_forward = 96;
    if (GetParam().kept == WeightType::q4_k) c.width = c.feed_forward = 256, c.head_size = 128;  // whole blocks
    const WeightFormat& format = weight_format(GetParam().kept);
    KeptFormats formats;
    if (GetParam().kept != WeightType::f32) formats = [&format](const std::string&) { return &format; };
    model = std::make_unique<Transformer>(device, c, Precision{GetParam().compute, false}, formats);
    model->initialise(3);
    adapter = new_adapter(*model, {.rank = 4, .alpha = 16, .seed = 1});
    // B is not zero, so that it says something from the start.
    for (Parameter* p : parameters(*adapter)) {
      std::vector<float> values(size_t(p->count()));
      p->get_rows(0, p->rows(), values.data());
      Random random{5, p->name().size()};
      for (float& value : values) value += float(0.05 * random.normal());
      p->set_rows(0, p->rows(), values.data());
    }
    optimizer.emplace(device, default_kernels(), parameters(*adapter), OptimizerOptions{});
  }

  struct Drawn {
    std::vector<std::vector<int32_t>> tokens;  // prompt and answer
    std::vector<std::vector<float>> logprobs;  // of the answer
  };
  // Answers with the adapter, side by side, and one without.
  Drawn draw(Engine& engine, uint64_t seed) {
    std::vector<Request> requests;
    for (const int64_t size : {3, 40, 70})
      requests.push_back({.prompt = random_tokens(size, seed + uint64_t(size)),
                          .sampling = {.temperature = 0.9, .seed = seed},
                          .max_tokens = 30,
                          .adapter = size == 40 ? "" : "trained"});
    const auto heard = run_together(engine, requests);
    Drawn drawn;
    for (size_t i = 0; i < requests.size(); ++i) {
      drawn.tokens.push_back(requests[i].prompt);
      drawn.logprobs.emplace_back();
      for (const AnswerToken& token : heard[i].choices.at(0).tokens) {
        drawn.tokens.back().push_back(token.sampled.token);
        drawn.logprobs.back().push_back(token.sampled.logprob);
      }
    }
    return drawn;
  }

  // What training computes for the drawn tokens, all sequences in one batch; with gradients given, those of the mean of
  // their losses.
  std::vector<std::vector<float>> train(const Drawn& drawn, GradientStore* gradients = nullptr) {
    TokenBatch batch{{}, {}, {0}, {}};
    std::vector<int32_t> targets;
    int64_t counted = 0;
    for (size_t i = 0; i < drawn.tokens.size(); ++i) {
      const auto size = int64_t(drawn.tokens[i].size()), first = size - int64_t(drawn.logprobs[i].size());
      if (i != 1) batch.adapters.push_back({adapter.get(), batch.size(), size});
      for (int64_t p = 0; p < size; ++p) {
        batch.tokens_N.push_back(drawn.tokens[i][size_t(p)]), batch.positions_N.push_back(int32_t(p));
        targets.push_back(p + 1 < size && p + 1 >= first ? drawn.tokens[i][size_t(p + 1)] : -1);
        counted += targets.back() >= 0;
      }
      batch.sequence_starts.push_back(int32_t(batch.size()));
    }
    ClosureTape tape;
    const Pass pass{device, default_kernels(), &tape};
    BatchKv kv;
    std::vector<float> loss_N;
    {
      const Tensor hidden_NC = model->forward(pass, batch, kv);
      loss_N = classifier_loss(pass, hidden_NC, model->classifier(), targets);
      if (gradients != nullptr) {
        const Tensor y_NV = model->logits(pass, hidden_NC);
        Tensor dy_NV = gradients->into(y_NV).tensor;
        std::copy_n(y_NV.data<float>(), y_NV.size(), dy_NV.data<float>());
        std::vector<float> again(loss_N.size());
        const TargetSlope slope = [&](int64_t, float) { return 1 / float(counted); };
        pass.kernels.softmax_loss(pass.threads(), dy_NV, y_NV.cols(), {targets.data(), 1, 0, &slope}, again.data());
        EXPECT_EQ(again, loss_N);
      }
    }
    if (gradients != nullptr) tape.backward(*gradients);
    std::vector<std::vector<float>> logprobs;
    for (size_t i = 0, n = 0; i < drawn.tokens.size(); ++i) {
      logprobs.emplace_back();
      for (size_t p = 0; p < drawn.tokens[i].size(); ++p, ++n)
        if (targets[n] >= 0) logprobs.back().push_back(-loss_N[n]);
    }
    return logprobs;
  }

  void update(const Drawn& drawn) {
    const std::vector<Parameter*> all = parameters(*adapter);
    GradientStore gradients(device, {all.begin(), all.end()});
    train(drawn, &gradients);
    for (const Parameter* p : all) EXPECT_FALSE(gradients.of(*p).is_empty()) << p->name();
    for (const Parameter* p : std::as_const(*model).parameters()) EXPECT_TRUE(gradients.of(*p).is_empty()) << p->name();
    EXPECT_GT(optimizer->step(gradients, 0.001f), 0.0);
  }
  static std::vector<std::pair<int32_t, float>> said_of(const HeardRequest& heard) {
    std::vector<std::pair<int32_t, float>> said;
    for (const AnswerToken& token : heard.choices.at(0).tokens)
      said.emplace_back(token.sampled.token, token.sampled.logprob);
    return said;
  }
  static double sum(const std::vector<std::vector<float>>& logprobs) {
    double total = 0;
    for (const size_t i : {0u, 2u})
      for (const float x : logprobs[i]) total += double(x);
    return total;
  }

  Device device{2};
  std::unique_ptr<Transformer> model;
  std::shared_ptr<Adapter> adapter;
  std::optional<Optimizer> optimizer;
};

TEST_P(AdapterTraining, SamplerAndTrainerAgree) {
  const bool is_kept = GetParam().kept != WeightType::f32;
  EXPECT_EQ(model->block_matrices()[0]->keeps_formats(), is_kept);
  EXPECT_EQ(model->classifier().keeps_formats(), is_kept);
  Engine engine(*model, default_kernels(), {.cache_tokens = 6000});
  engine.adapters().put("trained", adapter);
  for (uint64_t turn = 0; turn < 3; ++turn) {
    const Drawn drawn = draw(engine, turn);
    EXPECT_EQ(train(drawn), drawn.logprobs) << turn;
    update(drawn);
    engine.weights_changed();
    // What was drawn is more likely now: that is what the small step went down on. Without the adapter nothing changed.
    const auto after = train(drawn);
    EXPECT_GT(sum(after), sum(drawn.logprobs)) << turn;
    EXPECT_NE(after[0], drawn.logprobs[0]);
    EXPECT_EQ(after[1], drawn.logprobs[1]);
  }
}

// Pages of the adapter before an update are not found after it, and are before.
TEST_P(AdapterTraining, NothingOfBeforeAnUpdateIsUsed) {
  Engine engine(*model, default_kernels(), {.cache_tokens = 6000});
  engine.adapters().put("trained", adapter);
  const Drawn drawn = draw(engine, 1);
  const Request request{
      .prompt = random_tokens(90, 9), .sampling = {.temperature = 0}, .max_tokens = 20, .adapter = "trained"};
  const auto cached = [&] { return generate(engine, request).cached_tokens; };
  EXPECT_EQ(cached(), 0);
  EXPECT_EQ(cached(), 89);
  // In the middle of an answer: it goes on with the new matrices alone, as one that begins with what was said.
  HeardRequest heard;
  engine.submit(request, heard.events());
  for (int step = 0; step < 8; ++step) engine.step();
  const std::vector<int32_t> before = heard.choices.at(0).ids();
  ASSERT_GT(before.size(), 2u);
  update(drawn);
  engine.weights_changed();
  engine.run();
  Request rest = request;
  rest.prompt.insert(rest.prompt.end(), before.begin(), before.end());
  rest.max_tokens -= int64_t(before.size());
  const auto expected = [&] {
    Engine fresh(*model, default_kernels());
    fresh.adapters().put("trained", adapter);
    return said_of(run_together(fresh, {rest})[0]);
  };
  const auto said = said_of(heard);
  EXPECT_EQ(std::vector(said.begin() + int64_t(before.size()), said.end()), expected());
  update(drawn);
  EXPECT_NE(std::vector(said.begin() + int64_t(before.size()), said.end()), expected());
  engine.weights_changed();
  EXPECT_EQ(cached(), 0);
  EXPECT_EQ(cached(), 89);
}

INSTANTIATE_TEST_SUITE_P(Bases, AdapterTraining,
                         testing::Values(BaseKind{"f32", "llama", DType::f32, WeightType::f32},
                                         BaseKind{"bf16", "qwen3", DType::bf16, WeightType::f32},
                                         BaseKind{"halves", "llama", DType::f32, WeightType::bf16},
                                         BaseKind{"q4_0", "llama", DType::f32, WeightType::q4_0},
                                         BaseKind{"q4_k", "llama", DType::f32, WeightType::q4_k},
                                         BaseKind{"gemma", "gemma3_text", DType::f32, WeightType::f32},
                                         BaseKind{"gpt2", "gpt2", DType::f32, WeightType::q8_0}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace fude
