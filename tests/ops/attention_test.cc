#include "ops/attention.h"

#include "autograd/closure_tape.h"
#include "backend/cpu/tier.h"
#include "ops/kv_rows.h"
#include "tests/support/op_case.h"

namespace fude {
namespace {

struct Lengths {
  TokenBatch batch;
  std::vector<int64_t> page_rows, first_page;
  int64_t longest = 0;
};

// What a sequence goes on from, and behind how many of its positions.
struct Prefix {
  int32_t sequence = -1;
  int64_t positions = 0;
};

// A training batch: the pages of each sequence are its own rows, behind those of its prefix.
std::shared_ptr<Lengths> pack(const std::vector<int64_t>& lengths, const std::vector<Prefix>& prefixes = {}) {
  auto all = std::make_shared<Lengths>();
  all->batch.sequence_starts = {0};
  for (size_t s = 0; s < lengths.size(); ++s) {
    const int64_t start = all->batch.size();
    const Prefix prefix = prefixes.empty() ? Prefix{} : prefixes[s];
    if (!prefixes.empty()) all->batch.prefixes.push_back(prefix.sequence);
    all->first_page.push_back(int64_t(all->page_rows.size()));
    for (int64_t key = 0; key < prefix.positions; key += kKeyPage)
      all->page_rows.push_back(all->batch.sequence_starts[size_t(prefix.sequence)] + key);
    for (int64_t key = 0; key < lengths[s]; key += kKeyPage) all->page_rows.push_back(start + key);
    for (int64_t i = 0; i < lengths[s]; ++i) {
      all->batch.tokens_N.push_back(0);
      all->batch.positions_N.push_back(int32_t(prefix.positions + i));
    }
    all->batch.sequence_starts.push_back(int32_t(all->batch.size()));
    all->longest = std::max(all->longest, prefix.positions + lengths[s]);
  }
  return all;
}

OpCase attention_case(const std::vector<int64_t>& lengths, int64_t heads, int64_t kv_heads, int64_t d, int probes,
                      AttentionOptions options = {}, const std::vector<Prefix>& prefixes = {}) {
  const auto all = pack(lengths, prefixes);
  const int64_t rows = all->batch.size();
  OpCase op{.name = fmt::format("attention {} tokens, {}/{} heads of {}, window {}", rows, heads, kv_heads, d,
                                options.window),
            .rows = rows,
            .input_cols = {heads * d, kv_heads * d, kv_heads * d},
            .row_wise = false,
            .probes = probes};
  op.run = [=](const Pass& pass, const auto& x, const auto&, const auto&) {
    const KvView kv{{x[1].reshaped({rows, kv_heads, d}), {}},
                    {x[2].reshaped({rows, kv_heads, d}), {}},
                    all->page_rows,
                    all->first_page};
    return std::vector<Tensor>{attention(pass, x[0].reshaped({rows, heads, d}), kv, all->batch, options)};
  };
  op.reference = [=](const auto& x, const auto&) {
    Array o(size_t(rows * heads * d));
    for (size_t s = 0; s < lengths.size(); ++s)
      for (int64_t n = all->batch.sequence_starts[s]; n < all->batch.sequence_starts[s + 1]; ++n)
        for (int64_t h = 0; h < heads; ++h) {
          const Prefix prefix = prefixes.empty() ? Prefix{} : prefixes[s];
          const int64_t start = all->batch.sequence_starts[s], g = h / (heads / kv_heads);
          const int64_t position = prefix.positions + n - start;
          const int64_t first = options.window > 0 ? std::max<int64_t>(0, position - options.window + 1) : 0;
          const auto at = [&](int64_t key) {
            const int64_t row = key < prefix.positions ? all->batch.sequence_starts[size_t(prefix.sequence)] + key
                                                       : start + key - prefix.positions;
            return size_t((row * kv_heads + g) * d);
          };
          Array scores;
          double top = -INFINITY;
          for (int64_t j = first; j <= position; ++j) {
            Complex score = 0;
            for (int64_t i = 0; i < d; ++i) score += x[0][size_t((n * heads + h) * d + i)] * x[1][at(j) + size_t(i)];
            scores.push_back(options.scale > 0 ? score * double(options.scale) : score / std::sqrt(double(d)));
            top = std::max(top, scores.back().real());
          }
          Complex total = 0;
          for (Complex& score : scores) total += score = std::exp(score - top);
          for (int64_t j = first; j <= position; ++j)
            for (int64_t i = 0; i < d; ++i)
              o[size_t((n * heads + h) * d + i)] += scores[size_t(j - first)] / total * x[2][at(j) + size_t(i)];
        }
    return std::vector<Array>{o};
  };
  // Scores over d, sums over keys or queries of the group, and the softmax.
  op.rounding_terms = double(d + all->longest * (heads / kv_heads)) + 20;
  return op;
}

TEST(Attention, RaggedBatches) {
  for (int64_t d : {16, 24, 64}) {
    check_op(attention_case({2}, 1, 1, d, 24));
    check_op(attention_case({1, 7, 20}, 4, 2, d, 24));
    check_op(attention_case({17, 1, 33}, 3, 1, d, 12));
  }
  check_op(attention_case({5, 1, 12}, 2, 1, 256, 8));
}

// Groups that end in the middle of a tile of rows, and one larger than any tile.
TEST(Attention, Groups) {
  for (const auto& [heads, kv_heads] : {std::pair<int64_t, int64_t>{4, 1}, {5, 1}, {7, 1}, {14, 2}, {16, 1}})
    for (int64_t window : {0, 7}) check_op(attention_case({1, 7, 40}, heads, kv_heads, 16, 4, {0.0f, window}));
}

TEST(Attention, CrossesBlocksOfKeys) {
  check_op(attention_case({1, 7, 300, 600}, 2, 1, 16, 3));
  check_op(attention_case({256, 257, 512}, 2, 2, 8, 3));
  check_op(attention_case({300}, 2, 1, 24, 3));
  check_op(attention_case({270}, 1, 1, 64, 3));
}

// Windows that end inside a block of keys, at its edge, and that hide whole blocks; rows of one tile differ in both.
TEST(Attention, Windows) {
  for (int64_t window : {2, 7, 100}) check_op(attention_case({1, 7, 40}, 4, 2, 16, 12, {0.3f, window}));
  for (int64_t window : {5, 255, 256, 258, 512}) check_op(attention_case({530}, 2, 1, 8, 2, {0.0f, window}));
}

// Several sequences go on from one, also behind different pages of it, from several, and behind whole blocks of keys.
TEST(Attention, Prefixes) {
  const std::vector<Prefix> two = {{}, {0, 32}, {}, {0, 64}, {2, 32}, {0, 32}};
  for (int64_t d : {16, 24}) check_op(attention_case({70, 5, 40, 20, 1, 33}, 4, 2, d, 12, {}, two));
  for (int64_t window : {7, 40}) check_op(attention_case({70, 5, 40, 20, 1, 33}, 2, 1, 16, 12, {0.0f, window}, two));
  const std::vector<Prefix> longer = {{}, {0, 288}, {0, 512}, {0, 256}};
  for (int64_t window : {0, 100, 300}) check_op(attention_case({530, 7, 300, 40}, 2, 1, 8, 2, {0.0f, window}, longer));
}

// What forward or backward would read or write beside its tensors.
TEST(Attention, RefusesWhatDoesNotFit) {
  Device device(1);
  const auto run = [&](const auto& spoil, bool has_tape = true) {
    auto all = pack({40, 7}, {{}, {0, 32}});
    KvView kv{{Tensor(device, {47, 1, 8}, DType::f32), {}},
              {Tensor(device, {47, 1, 8}, DType::f32), {}},
              all->page_rows,
              all->first_page};
    AttentionOptions options;
    spoil(kv, all->batch, options);
    ClosureTape tape;
    attention({device, default_kernels(), has_tape ? &tape : nullptr}, Tensor(device, {47, 2, 8}, DType::f32), kv,
              all->batch, options);
  };
  EXPECT_NO_THROW(run([](auto&...) {}));
  EXPECT_THROW(run([](KvView& kv, auto&...) { kv.page_rows.back() = 41; }), Error);
  EXPECT_THROW(run([](KvView& kv, auto&...) { kv.page_rows[0] = -1; }), Error);
  EXPECT_THROW(run([](KvView& kv, auto&...) { kv.page_rows.pop_back(); }), Error);
  EXPECT_THROW(run([](KvView&, TokenBatch& batch, auto&) { batch.positions_N.pop_back(); }), Error);
  EXPECT_THROW(run([](KvView&, TokenBatch& batch, auto&) { batch.prefixes = {-1, 7}; }), Error);
  EXPECT_THROW(run([](KvView&, TokenBatch& batch, auto&) { batch.prefixes = {-2, 0}; }), Error);
  EXPECT_THROW(run([](KvView&, TokenBatch&, AttentionOptions& options) { options.window = INT64_MAX; }), Error);
  const auto in_halves = [&](KvView& kv, auto&...) {
    for (KvRows* rows : {&kv.k, &kv.v})
      rows->rows_RGD = Tensor(device, {47, 1, 8}, DType::bf16, Purpose::cache, Contents::zero);
  };
  EXPECT_THROW(run(in_halves), Error);
  EXPECT_NO_THROW(run(in_halves, /*has_tape=*/false));
}

// In eight bits too a head that is no number stays none, wherever it has lost it; its neighbours do not notice.
TEST(KvRows, WhatIsNoNumberStaysNone) {
  for (Tier tier : supported_tiers())
    for (const int64_t d : {16, 20, 64})
      for (const float spoiled : {NAN, INFINITY, -INFINITY})
        for (int64_t at = 0; at < d; ++at) {
          GuardedDevice device(1);
          auto x = random_floats(3 * d, 1);
          x[size_t(d + at)] = spoiled;
          KvRows kv{Tensor(device, {3, 1, d}, DType::i8), Tensor(device, {3, 1}, DType::f32)};
          put_kv_rows(device.threads(), kernels_of(tier), tensor_of(device, {3, 1, d}, x), {0, 1, 2}, kv);
          const auto scales = floats_of(kv.scales_RG);
          ASSERT_TRUE(std::isnan(scales[1])) << name_of(tier) << ' ' << at;
          ASSERT_TRUE(std::isfinite(scales[0]) && std::isfinite(scales[2]));
        }
}

TEST(Attention, Speed) {
  time_op(attention_case({64, 64, 64, 64}, 12, 12, 64, 0));
  time_op(attention_case({512, 512, 512, 512}, 12, 12, 64, 0));
  time_op(attention_case({512, 512}, 16, 8, 128, 0));
  time_op(attention_case({4096}, 4, 4, 64, 0));
}

// One token after 4,095 others, and a few sequences of that.
TEST(Attention, DecodeSpeed) {
  if (!is_timing()) return;
  const int64_t keys = 4096, heads = 12, d = 64;
  for (int64_t sequences : {1, 4}) {
    Device device(1);
    KvView cache;
    TokenBatch batch;
    batch.sequence_starts = {0};
    for (int64_t s = 0; s < sequences; ++s) {
      cache.first_page.push_back(int64_t(cache.page_rows.size()));
      for (int64_t row = 0; row < keys; row += kKeyPage) cache.page_rows.push_back(s * keys + row);
      batch.tokens_N.push_back(0);
      batch.positions_N.push_back(keys - 1);
      batch.sequence_starts.push_back(int32_t(s + 1));
    }
    const int64_t rows = sequences * keys;
    cache.k = {tensor_of(device, {rows, heads, d}, random_floats(rows * heads * d, 1)), {}, KvOrder::turned_pages};
    cache.v = {tensor_of(device, {rows, heads, d}, random_floats(rows * heads * d, 2)), {}, KvOrder::pages};
    const Tensor q = tensor_of(device, {sequences, heads, d}, random_floats(sequences * heads * d, 3));
    for (Tier tier : timed_tiers())
      time_call(fmt::format("attention decode {} x {} keys [{}]", sequences, keys, name_of(tier)),
                double(rows * heads * d), 8 * double(rows * heads * d), [&] {
                  attention(Pass{device, kernels_of(tier)}, q, cache, batch);
                });
  }
}

// The rows of a prompt, from f32 to what is kept.
TEST(KvRows, Speed) {
  if (!is_timing()) return;
  const int64_t heads = 8, d = 128, rows = 512;
  Device device(1);
  const Tensor x = tensor_of(device, {rows, heads, d}, random_floats(rows * heads * d, 1));
  const std::vector<int64_t> places = all_rows(rows);
  const double n = double(x.size());
  for (const DType type : {DType::f32, DType::bf16, DType::i8})
    for (const auto& [order, name] : {std::pair{KvOrder::pages, "pages"}, {KvOrder::turned_pages, "turned pages"}}) {
      KvRows kv{Tensor(device, {rows, heads, d}, type), {}, order};
      if (type == DType::i8) kv.scales_RG = Tensor(device, {rows, heads}, DType::f32);
      for (Tier tier : timed_tiers())
        time_call(fmt::format("kv_rows {} {} [{}]", name_of(type), name, name_of(tier)), n,
                  n * double(4 + size_of(type)),
                  [&] { put_kv_rows(device.threads(), kernels_of(tier), x, places, kv); });
    }
}

// What a token may not see does not reach it, not even NaN times zero.
TEST(Attention, IgnoresTheFuture) {
  for (Tier tier : supported_tiers()) {
    const int64_t rows = 300, heads = 2, d = 16;
    const auto all = pack({rows});
    GuardedDevice device(1);
    const Pass pass{device, kernels_of(tier)};
    const Tensor q = tensor_of(device, {rows, heads, d}, random_floats(rows * heads * d, 1));
    auto k = random_floats(rows * heads * d, 2), v = random_floats(rows * heads * d, 3);
    const auto run = [&] {
      return floats_of(attention(pass, q,
                                 {{tensor_of(device, {rows, heads, d}, k), {}},
                                  {tensor_of(device, {rows, heads, d}, v), {}},
                                  all->page_rows,
                                  all->first_page},
                                 all->batch));
    };
    const auto before = run();
    for (int64_t hidden : {299, 258, 100, 17, 1}) {
      std::fill(k.begin() + hidden * heads * d, k.end(), NAN);
      std::fill(v.begin() + hidden * heads * d, v.end(), INFINITY);
      const auto after = run();
      const auto length = hidden * heads * d;
      expect_same_bits({after.begin(), after.begin() + length}, {before.begin(), before.begin() + length},
                       fmt::format("{}, tokens before {}", name_of(tier), hidden));
    }
  }
}

// One piece, chunks of any size, and row by row give the same bits; pages lie anywhere, in either order, and their
// unwritten rows are NaN.
class Cached : public testing::TestWithParam<bool> {
 protected:
  KvRows rows(Device& device, int64_t count, int64_t heads, int64_t d, DType type, bool are_keys) const {
    KvRows kv{Tensor(device, {count, heads, d}, type), {}, KvOrder::rows};
    if (type == DType::i8) kv.scales_RG = Tensor(device, {count, heads}, DType::f32);
    if (GetParam()) kv.order = are_keys ? KvOrder::turned_pages : KvOrder::pages;
    return kv;
  }
};
INSTANTIATE_TEST_SUITE_P(Attention, Cached, testing::Bool(),
                         [](const auto& info) { return info.param ? "InPages" : "InRows"; });

TEST_P(Cached, PrefillIsDecode) {
  const int64_t pages = 32;
  struct Sizes {
    int64_t d, window = 0, heads = 4, kv_heads = 2;
  };
  for (Tier tier : supported_tiers())
    for (const auto& [d, window, heads, kv_heads] :
         {Sizes{16}, {24}, {64}, {16, 1}, {16, 256}, {24, 300}, {16, 0, 7, 1}, {16, 256, 16, 1}, {24, 0, 10, 2}}) {
      const AttentionOptions options{0, window};
      const std::vector<int64_t> lengths = {1, 7, 300, 600};
      const auto all = pack(lengths);
      const int64_t rows = all->batch.size();
      GuardedDevice device(2);
      const Pass pass{device, kernels_of(tier)};
      const auto q = random_floats(rows * heads * d, 1), k = random_floats(rows * kv_heads * d, 2),
                 v = random_floats(rows * kv_heads * d, 3);
      const KvView whole{{tensor_of(device, {rows, kv_heads, d}, k), {}},
                         {tensor_of(device, {rows, kv_heads, d}, v), {}},
                         all->page_rows,
                         all->first_page};
      const auto wanted =
          floats_of(attention(pass, tensor_of(device, {rows, heads, d}, q), whole, all->batch, options));

      // The cache: pages are handed out from the back, so that no sequence's pages lie in order.
      KvView cache{this->rows(device, (pages + 1) * kKeyPage, kv_heads, d, DType::f32, true),
                   this->rows(device, (pages + 1) * kKeyPage, kv_heads, d, DType::f32, false),
                   {},
                   {}};
      int64_t page = pages;
      for (int64_t length : lengths) {
        cache.first_page.push_back(int64_t(cache.page_rows.size()));
        for (int64_t key = 0; key < length; key += kKeyPage) cache.page_rows.push_back(page-- * kKeyPage);
      }
      // Every step each sequence goes on by its own chunk; those that are done have no rows.
      const std::vector<int64_t> chunks = {1, 3, 1, 97};
      std::vector<int64_t> done(lengths.size(), 0);
      while (done != lengths) {
        TokenBatch batch;
        batch.sequence_starts = {0};
        std::vector<float> step_q, step_k, step_v;
        std::vector<int64_t> source, places;
        for (size_t s = 0; s < lengths.size(); ++s) {
          for (int64_t i = 0; i < chunks[s] && done[s] < lengths[s]; ++i, ++done[s]) {
            const int64_t row = all->batch.sequence_starts[s] + done[s];
            places.push_back(cache.page_rows[size_t(cache.first_page[s] + done[s] / kKeyPage)] + done[s] % kKeyPage);
            step_k.insert(step_k.end(), k.begin() + row * kv_heads * d, k.begin() + (row + 1) * kv_heads * d);
            step_v.insert(step_v.end(), v.begin() + row * kv_heads * d, v.begin() + (row + 1) * kv_heads * d);
            step_q.insert(step_q.end(), q.begin() + row * heads * d, q.begin() + (row + 1) * heads * d);
            source.push_back(row);
            batch.tokens_N.push_back(0);
            batch.positions_N.push_back(int32_t(done[s]));
          }
          batch.sequence_starts.push_back(int32_t(batch.size()));
        }
        const int64_t count = batch.size();
        const auto put = [&, d = d, kv_heads = kv_heads](const std::vector<float>& x, const KvRows& to) {
          put_kv_rows(pass.threads(), pass.kernels, tensor_of(device, {count, kv_heads, d}, x), places, to);
        };
        put(step_k, cache.k), put(step_v, cache.v);
        const auto got =
            floats_of(attention(pass, tensor_of(device, {count, heads, d}, step_q), cache, batch, options));
        for (int64_t i = 0; i < count; ++i) {
          const auto from = wanted.begin() + source[size_t(i)] * heads * d;
          expect_same_bits(
              {got.begin() + i * heads * d, got.begin() + (i + 1) * heads * d}, {from, from + heads * d},
              fmt::format("{}, head size {}, window {}, row {}", name_of(tier), d, window, source[size_t(i)]));
          if (HasFailure()) return;
        }
      }
    }
}

// Keys and values in fewer bits are read as exactly the numbers that they stand for: the same bits as those numbers in
// f32, and they are as near to what was put in as their types allow.
TEST_P(Cached, ReadsWhatIsStored) {
  const int64_t heads = 4, kv_heads = 2;
  for (Tier tier : supported_tiers())
    for (const int64_t d : {16, 24, 64})
      for (const DType type : {DType::bf16, DType::i8}) {
        const auto all = pack({1, 7, 300});
        const int64_t rows = all->batch.size();
        GuardedDevice device(2);
        const Pass pass{device, kernels_of(tier)};
        KvView stored{{}, {}, {}, all->first_page}, widened{{}, {}, all->page_rows, all->first_page};
        std::vector<int64_t> places;
        for (size_t s = 0, page = 0; s + 1 < all->batch.sequence_starts.size(); ++s)
          for (int64_t i = 0; i < all->batch.sequence_starts[s + 1] - all->batch.sequence_starts[s]; ++i) {
            if (i % kKeyPage == 0) stored.page_rows.push_back(int64_t(page++) * kKeyPage);
            places.push_back(stored.page_rows.back() + i % kKeyPage);
          }
        const auto room = int64_t(stored.page_rows.size()) * kKeyPage;
        for (auto [kv, wide, seed] : {std::tuple(&stored.k, &widened.k, 2), {&stored.v, &widened.v, 3}}) {
          auto x = random_floats(rows * kv_heads * d, uint64_t(seed));
          std::fill(x.begin(), x.begin() + d, 0.0f);  // a head of zeros
          *kv = this->rows(device, room, kv_heads, d, type, kv == &stored.k);
          put_kv_rows(pass.threads(), pass.kernels, tensor_of(device, {rows, kv_heads, d}, x), places, *kv);
          std::vector<float> read(x.size());
          for (size_t i = 0; i < x.size(); ++i) {
            const int64_t row = places[i / size_t(kv_heads * d)], head = int64_t(i) / d % kv_heads,
                          lane = row % kKeyPage;
            const int64_t at = kv->order == KvOrder::turned_pages
                                   ? kv->place(row - lane, head) * d + int64_t(i) % d * kKeyPage + lane
                                   : kv->place(row, head) * d + int64_t(i) % d;
            const float scale = type == DType::i8 ? kv->scales_RG.data<float>()[kv->place(row, head)] : 1.0f;
            read[i] = type == DType::bf16 ? float(kv->rows_RGD.data<BFloat16>()[at])
                                          : scale * float(kv->rows_RGD.data<int8_t>()[at]);
            // Half of the last of eight bits; half a step, and the roundings of x / scale.
            const float bound = type == DType::bf16 ? std::abs(x[i]) * 0x1p-8f : scale * (0.5f + 127 * 0x1p-22f);
            ASSERT_LE(std::abs(read[i] - x[i]), bound) << name_of(type) << " " << i;
          }
          wide->rows_RGD = tensor_of(device, {rows, kv_heads, d}, read);
        }
        const Tensor q = tensor_of(device, {rows, heads, d}, random_floats(rows * heads * d, 1));
        expect_same_bits(floats_of(attention(pass, q, stored, all->batch)),
                         floats_of(attention(pass, q, widened, all->batch)),
                         fmt::format("{}, {}, head size {}", name_of(tier), name_of(type), d));
      }
}

}  // namespace
}  // namespace fude
