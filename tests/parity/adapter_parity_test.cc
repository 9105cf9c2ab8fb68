// Adapters beside each other, with ==: what runs with a request changes no bit of it, whichever adapters that has.
#include <gtest/gtest.h>

#include "infer/embed.h"
#include "infer/generate.h"
#include "tests/support/adapter_case.h"
#include "tests/support/parity_case.h"

namespace fude {
namespace {

// What the matrices of the base model multiply in; u8: blocks of integers.
using Base = std::tuple<const char*, DType>;

class AdapterParity : public ParityCase, public testing::TestWithParam<Base> {
 protected:
  AdapterParity() : ParityCase(make, add_adapters_to) {
    for (size_t i = 0; i < requests.size(); ++i)
      requests[i].adapter = std::vector<std::string>{"", "every", "qv", "mlp"}[i % 4];
    // The same prompt with each, so that pages would be found if they were shared.
    for (const char* adapter : {"", "every", "qv", "mlp"})
      requests.push_back({.prompt = random_tokens(120, 50),
                          .sampling = {.temperature = 0.8, .seed = 5},
                          .max_tokens = 20,
                          .choices = 2,
                          .adapter = adapter});
    for (const Request& request : requests) alone.push_back(run_one(*model, request));
  }

  static std::unique_ptr<Transformer> make(Device& device) {
    const auto [family, type] = GetParam();
    ModelConfig c = small_config(family);
    c.feed_forward = 96;
    KeptFormats formats;
    if (type == DType::u8) formats = [](const std::string&) { return &weight_format(WeightType::q8_0); };
    auto model =
        std::make_unique<Transformer>(device, c, Precision{type == DType::u8 ? DType::f32 : type, false}, formats);
    model->initialise(3);
    return model;
  }
  static void add_adapters_to(Engine& engine, const Transformer& model) {
    engine.adapters().put("every", random_adapter(model, 1));
    engine.adapters().put("qv", random_adapter(model, 2, AdapterKind::queries_and_values));
    engine.adapters().put("mlp", random_adapter(model, 3, AdapterKind::mlp));
  }
  // On an engine that knows this request's adapter only.
  static HeardRequest run_one(const Transformer& model, const Request& request) {
    Engine engine(model, default_kernels(), {.shares_prefixes = false});
    if (request.adapter == "every") engine.adapters().put("every", random_adapter(model, 1));
    if (request.adapter == "qv") engine.adapters().put("qv", random_adapter(model, 2, AdapterKind::queries_and_values));
    if (request.adapter == "mlp") engine.adapters().put("mlp", random_adapter(model, 3, AdapterKind::mlp));
    return run_together(engine, {request}).front();
  }
};

TEST_P(AdapterParity, TheyDiffer) {
  EXPECT_EQ(model->block_matrices().front()->compute(), std::get<1>(GetParam()));
  const size_t first = alone.size() - 4;
  for (size_t i = first; i < alone.size(); ++i)
    for (size_t j = first; j < i; ++j) EXPECT_NE(alone[i].choices, alone[j].choices) << i << " " << j;
}

TEST_P(AdapterParity, InCompany) {
  expect_same({.cache_tokens = 6000}, "in company");
  expect_same({.cache_tokens = 6000, .shares_prefixes = false}, "without the tree");
}

TEST_P(AdapterParity, InChunks) { expect_same({.cache_tokens = 6000, .chunk = 7}, "in chunks"); }

TEST_P(AdapterParity, Preempted) { expect_same_in_few_pages(); }

TEST_P(AdapterParity, Speculative) {
  expect_same({.cache_tokens = 6000, .drafts = 4}, "looked up");
  EXPECT_GT(last.accepted, 0);
  expect_same({.cache_tokens = 6000, .drafts = 3, .draft_model = model.get()}, "by the base model");
  EXPECT_GT(last.accepted, 0);
  EXPECT_LT(last.accepted, last.drafted);
}

TEST_P(AdapterParity, OnKnownBeginnings) { expect_same_on_known_beginnings(); }

TEST_P(AdapterParity, OnOneThread) { expect_same_on_one_thread(); }

// Embeddings between answers, with adapters and without.
TEST_P(AdapterParity, Embeddings) {
  const std::vector<std::vector<int32_t>> texts = {random_tokens(1, 1), random_tokens(300, 2), random_tokens(32, 3),
                                                   random_tokens(300, 2)};
  for (const Pooling pooling : {Pooling::mean, Pooling::last, Pooling::cls})
    for (const char* adapter : {"", "every"}) {
      std::vector<std::vector<float>> expected;
      for (const auto& text : texts) {
        Engine engine(*model, default_kernels(), {.shares_prefixes = false});
        add_adapters_to(engine, *model);
        expected.push_back(embed(engine, {text}, {pooling}, adapter).front());
      }
      for (const int64_t chunk : {7, 512}) {
        Engine engine(*model, default_kernels(), {.context = 384, .chunk = chunk});
        add_adapters_to(engine, *model);
        std::vector<HeardRequest> heard(requests.size());
        for (size_t i = 0; i < requests.size(); ++i) engine.submit(requests[i], heard[i].events());
        EXPECT_EQ(embed(engine, texts, {pooling}, adapter), expected) << int(pooling) << adapter << chunk;
        engine.run();
        expect_same_answers(heard, alone, "beside embeddings");
        EXPECT_EQ(embed(engine, texts, {pooling}, adapter), expected) << "known";
      }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Bases, AdapterParity,
    testing::Values(Base{"llama", DType::f32}, Base{"qwen3", DType::bf16}, Base{"llama", DType::u8},
                    Base{"gpt2", DType::f32}, Base{"gemma3_text", DType::f32}),
    [](const auto& info) {
      return std::string(std::get<0>(info.param)) + "_" +
             (std::get<1>(info.param) == DType::u8 ? "blocks" : std::string(name_of(std::get<1>(info.param))));
    });

}  // namespace
}  // namespace fude
