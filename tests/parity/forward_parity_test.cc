// The numeric contract, with ==: logits do not depend on threads, tiers, chunking, or the company a sequence keeps.
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "backend/cpu/tier.h"
#include "base/random.h"
#include "infer/paged_kv.h"
#include "tests/support/engine_case.h"

namespace fude {
namespace {

TokenBatch sequences(const std::vector<int>& lengths) {
  TokenBatch b;
  b.sequence_starts = {0};
  Random random{7};
  for (int length : lengths) {
    for (int p = 0; p < length; ++p) b.tokens_N.push_back(int32_t(random.below(300))), b.positions_N.push_back(p);
    b.sequence_starts.push_back(int32_t(b.tokens_N.size()));
  }
  return b;
}

std::vector<float> run(const Transformer& model, const Kernels& kernels, const TokenBatch& b, KvStore& kv) {
  const Pass pass{model.device(), kernels};
  const Tensor y = model.logits(pass, model.forward(pass, b, kv));
  return {y.data<float>(), y.data<float>() + y.size()};
}

// A family, and what its matrices multiply in.
class Forward : public testing::TestWithParam<std::tuple<const Architecture*, DType>> {
 protected:
  ModelConfig config() const {
    ModelConfig c = small_config(std::get<0>(GetParam())->family);
    if (compute() == DType::u8 && c.width % 32 != 0) c.width = 64;
    return c;
  }
  DType compute() const { return std::get<1>(GetParam()); }
  // As a model that is only run: bf16 without the f32 values; u8 stands for blocks of integers, each tensor in another
  // format, where its columns fill them; f16 for matrices in F16 and BF16.
  std::unique_ptr<Transformer> make(Device& device, uint64_t seed) const {
    std::unique_ptr<Transformer> model;
    if (compute() == DType::u8 || compute() == DType::f16) {
      size_t next = 0;
      model = std::make_unique<Transformer>(device, config(), Precision{}, [&](const std::string&) {
        static constexpr WeightType types[] = {WeightType::q8_0, WeightType::q4_0, WeightType::q5_1, WeightType::q4_1},
                                    halves[] = {WeightType::f16, WeightType::bf16};
        const size_t i = next++ / 3;  // q, k and v alike
        return &weight_format(compute() == DType::u8 ? types[i % 4] : halves[i % 2]);
      });
      int64_t kept = 0;
      for (const Parameter* p : std::as_const(*model).parameters())
        kept += compute() == DType::u8 ? p->is_in_blocks() : p->is_in_halves();
      EXPECT_GT(kept, 4);
    } else {
      model = std::make_unique<Transformer>(device, config(), Precision{compute(), /*keeps_master=*/false});
    }
    model->initialise(seed);
    return model;
  }
};

TEST_P(Forward, SameBitsForThreadsAndTiers) {
  const TokenBatch b = sequences({5, 300, 1, 33});
  std::map<std::string, std::vector<float>> first_of;  // by how the tier sums
  for (int threads : {1, 2, 5})
    for (Tier tier : supported_tiers()) {
      const Kernels& kernels = kernels_of(tier);
      Device device(threads);
      const auto made = make(device, 1);
      const Transformer& model = *made;
      BatchKv kv;
      const auto logits = run(model, kernels, b, kv);
      auto& first = first_of[compute() == DType::bf16 ? kernels.bf16 : "f32"];
      if (first.empty()) first = logits;
      EXPECT_EQ(logits, first) << threads << " threads, " << name_of(tier);
    }
}

// What trains and what only runs are the same bits; weights in 16 bits run as the f32 weights that they widen to.
TEST_P(Forward, HowWeightsAreKeptChangesNothing) {
  if (compute() == DType::u8) GTEST_SKIP() << "blocks are multiplied in another way";
  Device device(2);
  const auto runs = make(device, 4);
  Transformer trains(device, config(), {compute() == DType::f16 ? DType::f32 : compute()});
  const auto from = std::as_const(*runs).parameters();
  const auto to = trains.parameters();
  for (size_t i = 0; i < to.size(); ++i) {
    std::vector<float> values(size_t(from[i]->count()));
    from[i]->get_rows(0, from[i]->rows(), values.data());
    to[i]->set_rows(0, to[i]->rows(), values.data());
  }
  for (Tier tier : supported_tiers())
    for (const TokenBatch& b : {sequences({1}), sequences({5, 40})}) {
      BatchKv kv;
      EXPECT_EQ(run(*runs, kernels_of(tier), b, kv), run(trains, kernels_of(tier), b, kv)) << name_of(tier);
    }
}

TEST_P(Forward, ASequenceAloneEqualsItselfInABatch) {
  Device device(2);
  const auto made = make(device, 2);
  const Transformer& model = *made;
  const TokenBatch all = sequences({17, 290, 3});
  BatchKv kv;
  const auto together = run(model, default_kernels(), all, kv);
  for (size_t s = 0; s < 3; ++s) {
    const auto from = all.sequence_starts[s], to = all.sequence_starts[s + 1];
    const TokenBatch one{{all.tokens_N.begin() + from, all.tokens_N.begin() + to},
                         {all.positions_N.begin() + from, all.positions_N.begin() + to},
                         {0, to - from}};
    const auto alone = run(model, default_kernels(), one, kv);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + from * 300));
  }
}

TEST_P(Forward, TheLastRowsAloneAreThoseOfAll) {
  Device device(2);
  const auto made = make(device, 5);
  const Transformer& model = *made;
  const Pass pass{device, default_kernels()};
  const TokenBatch b = sequences({290, 3, 40, 17});
  BatchKv kv;
  const Tensor all_NC = model.forward(pass, b, kv);
  const int64_t width = all_NC.cols();
  for (const std::vector<int64_t>& counts_S :
       {std::vector<int64_t>{1, 1, 1, 1}, {260, 0, 33, 1}, {0, 0, 0, 0}, {290, 3, 40, 17}}) {
    const Tensor last_RC = model.forward(pass, b, kv, counts_S);
    const float* row = last_RC.data<float>();
    for (size_t s = 0; s < counts_S.size(); row += counts_S[s++] * width) {
      const float* expected = all_NC.data<float>() + (b.sequence_starts[s + 1] - counts_S[s]) * width;
      EXPECT_TRUE(std::equal(row, row + counts_S[s] * width, expected)) << "sequence " << s << ", " << counts_S[s];
    }
    EXPECT_EQ(row, last_RC.data<float>() + last_RC.size());
  }
  EXPECT_THROW(model.forward(pass, b, kv, {1, 4, 1, 1}), Error);
  EXPECT_THROW(model.forward(pass, b, kv, {1, 1, 1}), Error);
}

TEST_P(Forward, PrefillInAnyChunksEqualsDecode) {
  Device device(2);
  const auto made = make(device, 3);
  const Transformer& model = *made;
  const TokenBatch all = sequences({530});
  BatchKv whole;
  const auto expected = run(model, default_kernels(), all, whole);
  for (int chunk : {1, 7, 256, 529}) {
    PagePool pool(device, model.config(), pages_for(530));
    std::vector<Page> pages;
    while (pool.free_pages() > 0) pages.insert(pages.begin(), pool.take());  // in no order of memory
    PagedKv cache(pool, default_kernels(), {&pages});
    for (int from = 0; from < 530; from += chunk) {
      const int to = std::min(530, from + chunk);
      const TokenBatch part{{all.tokens_N.begin() + from, all.tokens_N.begin() + to},
                            {all.positions_N.begin() + from, all.positions_N.begin() + to},
                            {0, to - from}};
      const auto logits = run(model, default_kernels(), part, cache);
      ASSERT_TRUE(std::equal(logits.begin(), logits.end(), expected.begin() + from * 300))
          << "chunk " << chunk << " at " << from;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Forward,
                         testing::Combine(testing::ValuesIn(architectures()),
                                          testing::Values(DType::f32, DType::bf16, DType::u8, DType::f16)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)->family) + "_" +
                                  (std::get<1>(info.param) == DType::u8 ? "blocks"
                                   : std::get<1>(info.param) == DType::f16
                                       ? "halves"
                                       : std::string(name_of(std::get<1>(info.param))));
                         });

}  // namespace
}  // namespace fude
