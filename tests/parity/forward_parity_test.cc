// The numeric contract, with ==: logits do not depend on threads, tiers, chunking, or the company a sequence keeps.
#include <gtest/gtest.h>

#include <cmath>
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

// What matrices multiply in, or are kept in as their file has them: F16 and BF16, blocks of 32, blocks of 256.
enum class Weights { f32, bf16, halves, blocks, k_blocks };

// The formats of a file that take turns in a model.
const std::vector<WeightType>& types_of(Weights weights) {
  using enum WeightType;
  static const std::vector<WeightType> types[] = {
      {}, {}, {f16, bf16}, {q8_0, q4_0, q5_1, q4_1, q5_0}, {q4_k, q5_k, q6_k}};
  return types[size_t(weights)];
}

using FamilyWeights = std::tuple<const Architecture*, Weights>;

class Forward : public testing::TestWithParam<FamilyWeights> {
 protected:
  ModelConfig config() const {
    ModelConfig c = small_config(std::get<0>(GetParam())->family);
    if (weights() == Weights::blocks && c.width % 32 != 0) c.width = 64;
    if (weights() == Weights::k_blocks) {
      c.width = c.feed_forward = 256, c.head_size = 256 / c.heads;
      if (c.embedding_scale != 1) c.embedding_scale = std::sqrt(double(c.width));
    }
    return c;
  }
  Weights weights() const { return std::get<1>(GetParam()); }
  DType compute() const { return weights() == Weights::bf16 ? DType::bf16 : DType::f32; }
  bool has_blocks() const { return weights() == Weights::blocks || weights() == Weights::k_blocks; }
  // As a model that is only run: bf16 without the f32 values, formats where they fit the columns.
  std::unique_ptr<Transformer> make(Device& device, uint64_t seed) const {
    const std::vector<WeightType>& types = types_of(weights());
    KeptFormats formats;
    // Three tensors alike: q, k and v, or gate and up, have one format in some layers and several in others.
    if (!types.empty())
      formats = [&, next = size_t(0)](const std::string&) mutable {
        return &weight_format(types[next++ / 3 % types.size()]);
      };
    auto model = std::make_unique<Transformer>(device, config(), Precision{compute(), /*keeps_master=*/false}, formats);
    int64_t matrices = 0, kept = 0;
    for (const Parameter* p : std::as_const(*model).parameters())
      matrices += p->is_matrix(), kept += has_blocks() ? p->is_in_blocks() : p->is_in_halves();
    if (weights() == Weights::k_blocks) { EXPECT_EQ(kept, matrices); }
    if (!types.empty()) { EXPECT_GT(kept, 4); }
    model->initialise(seed);
    return model;
  }
};

TEST_P(Forward, SameBitsForThreadsAndTiers) {
  const TokenBatch b = sequences({5, 300, 1, 33});
  std::map<std::string, std::vector<float>> first_of;  // by how the tier sums
  for (int threads : {1, 2, 5}) {
    Device device(threads);
    const auto made = make(device, 1);
    const Transformer& model = *made;
    for (Tier tier : supported_tiers()) {
      const Kernels& kernels = kernels_of(tier);
      BatchKv kv;
      const auto logits = run(model, kernels, b, kv);
      auto& first = first_of[compute() == DType::bf16 ? kernels.bf16 : "f32"];
      if (first.empty()) first = logits;
      EXPECT_EQ(logits, first) << threads << " threads, " << name_of(tier);
    }
  }
}

// What trains and what only runs are the same bits; weights in 16 bits run as the f32 weights that they widen to.
TEST_P(Forward, HowWeightsAreKeptChangesNothing) {
  if (has_blocks()) GTEST_SKIP() << "blocks are multiplied in another way";
  Device device(2);
  const auto runs = make(device, 4);
  Transformer trains(device, config(), {compute()});
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

// Each sequence of a batch is as it is alone. Where other programs pad, rows follow each other: their numbers here,
// 311, 29 and 227, are primes and fill no tile.
TEST_P(Forward, RaggedBatchesNeedNoPadding) {
  Device device(2);
  const auto made = make(device, 2);
  const Transformer& model = *made;
  for (const std::vector<int>& lengths : {std::vector<int>{17, 290, 4}, {1, 2, 3, 4, 5, 6, 8}, {31, 33, 1, 65, 97}}) {
    const TokenBatch all = sequences(lengths);
    BatchKv kv;
    const auto together = run(model, default_kernels(), all, kv);
    for (size_t s = 0; s < lengths.size(); ++s) {
      const auto from = all.sequence_starts[s], to = all.sequence_starts[s + 1];
      const TokenBatch one{{all.tokens_N.begin() + from, all.tokens_N.begin() + to},
                           {all.positions_N.begin() + from, all.positions_N.begin() + to},
                           {0, to - from}};
      const auto alone = run(model, default_kernels(), one, kv);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + from * 300))
          << "sequence " << s << " of " << lengths.size();
    }
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

std::string name_of_case(const testing::TestParamInfo<FamilyWeights>& info) {
  static constexpr const char* names[] = {"f32", "bf16", "halves", "blocks", "k_blocks"};
  return std::get<0>(info.param)->family + std::string("_") + names[size_t(std::get<1>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(Families, Forward,
                         testing::Combine(testing::ValuesIn(architectures()),
                                          testing::Values(Weights::f32, Weights::bf16, Weights::blocks,
                                                          Weights::halves)),
                         name_of_case);
// In rows of 256, which take longer: a head of its own, and the token embedding as the head.
INSTANTIATE_TEST_SUITE_P(WideRows, Forward,
                         testing::Values(FamilyWeights{&llama_architecture(), Weights::k_blocks},
                                         FamilyWeights{&gemma3_architecture(), Weights::k_blocks}),
                         name_of_case);

}  // namespace
}  // namespace fude
