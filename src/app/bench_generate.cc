// fude bench generate: prefill and decode of one sequence.
#include "app/bench.h"
#include "app/bench_models.h"
#include "base/random.h"
#include "infer/generator.h"
#include "model/flop.h"
#include "model/load.h"

namespace fude {
namespace {

constexpr int64_t kPrefill = 512, kShallow = 16, kDeep = 4096, kNew = 16;

void measure_model(Bench& bench, const BenchTier& tier, DType type, const std::string& folder) {
  const std::string prefix = fmt::format("{}{} ", name_of(type), tier.suffix);
  const std::string prefill = prefix + fmt::format("prefill {}", kPrefill);
  const auto decode = [&](int64_t depth) {
    return prefix + (depth == kShallow ? "decode 1" : fmt::format("depth {}", depth));
  };
  if (!bench.wants(prefill) && !bench.wants(decode(kShallow)) && !bench.wants(decode(kDeep))) return;
  Device& device = bench.device();
  const Precision precision{type, /*keeps_master=*/false};
  const auto model =
      folder.empty() ? random_gpt2(device, precision, kDeep + kNew) : load_model(device, folder, precision);
  const ModelConfig& c = model->config();
  Generator generator(*model, tier.kernels, std::min(c.context, kDeep + kNew));
  const auto generate = [&](int64_t depth, int64_t count) {
    std::vector<int32_t> prompt;
    Random random{5, 6, 0};
    for (int64_t i = 0; i < depth; ++i) prompt.push_back(int32_t(random.below(uint64_t(c.vocabulary))));
    GenerationOptions options;
    options.sampling.temperature = 0;
    options.max_tokens = count;
    generator.generate(prompt, options, [](const SampledToken&) { return true; });
  };

  if (bench.wants(prefill) && kPrefill < generator.context()) {
    const double flop =
        2 * (double(kPrefill * block_weights(c) + classifier_weights(c)) + attention_products(c, kPrefill));
    const auto limit = [&] { return double(kPrefill) * bench.peak(tier.kernels, type) / flop; };
    const auto work = [&] {
      generator.reset();
      generate(kPrefill, 1);
    };
    bench.print(bench.measure(prefill, "tok/s", double(kPrefill), work, limit));
  }
  for (int64_t depth : {kShallow, kDeep}) {
    if (!bench.wants(decode(depth)) || depth + kNew > generator.context()) continue;
    if (bench.options().quick && depth == kDeep) continue;
    const int64_t cached = 2 * c.layers * c.kv_heads * c.head_size * (depth + kNew / 2);
    const double bytes =
        double((block_weights(c) + classifier_weights(c)) * size_of(type) + cached * size_of(DType::f32));
    // The prompt stays in the cache: only its last token runs again, and kNew - 1 new ones.
    bench.print(bench.measure(
        decode(depth), "tok/s", double(kNew), [&] { generate(depth, kNew); },
        [&] { return bench.read_bandwidth() / bytes; }));
  }
}

}  // namespace

void bench_generate(Bench& bench, const std::string& folder) {
  bench.print_probes();
  for (DType type : {DType::f32, DType::bf16}) measure_model(bench, bench.tiers().front(), type, folder);
}

}  // namespace fude
