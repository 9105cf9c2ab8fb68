// fude bench generate: prefill, decode of one and of many sequences, and decode behind a long context.
#include <algorithm>

#include "app/bench.h"
#include "app/bench_models.h"
#include "base/random.h"
#include "fetch/pull.h"
#include "infer/engine.h"
#include "model/flop.h"
#include "model/load.h"

namespace fude {
namespace {

constexpr int64_t kPrefill = 512, kDeep = 4096;
constexpr int64_t kBatches[] = {1, 8, 16, 64};

std::vector<int32_t> random_prompt(const ModelConfig& c, int64_t size, uint64_t stream) {
  std::vector<int32_t> prompt;
  Random random{5, stream, 0};
  for (int64_t i = 0; i < size; ++i) prompt.push_back(int32_t(random.below(uint64_t(c.vocabulary))));
  return prompt;
}

std::unique_ptr<Transformer> model_to_measure(Device& device, const std::string& name, Precision precision,
                                              int64_t context) {
  if (name.empty() && !is_cached(*find_in_catalogue(kDefaultModel))) return random_gpt2(device, precision, context);
  return load_model(device, find_model(name.empty() ? kDefaultModel : name), precision);
}

// What a token reads: every weight, but of an embedding that is no classifier only a row.
double bytes_of_weights(const Transformer& model) {
  double bytes = 0;
  for (const Parameter* p : model.parameters()) bytes += double(p->packed().bytes());
  if (!model.config().ties_head) bytes -= double(model.parameters().front()->packed().bytes());
  return bytes;
}

// What its products are measured against.
DType type_of_products(const Transformer& model) {
  DType type = DType::f32;
  for (const Parameter* p : model.parameters()) {
    if (p->is_in_blocks()) return DType::i8;
    if (p->compute() == DType::bf16) type = DType::bf16;
  }
  return type;
}

// Of the keys and values of a position; in i8 each head of both has a scale.
double bytes_of_position(const ModelConfig& c, DType kv) {
  const int64_t scale = kv == DType::i8 ? size_of(DType::f32) : 0;
  return double(2 * c.layers * c.kv_heads * (c.head_size * size_of(kv) + scale));
}

}  // namespace

void bench_generate(Bench& bench, const GenerateBenchOptions& options) {
  const std::string prefill = fmt::format("prefill {}", kPrefill), deep = fmt::format("depth {}", kDeep);
  const auto decode = [](int64_t batch) { return fmt::format("decode {}", batch); };
  if (!options.model.empty()) find_model(options.model);  // that there is none is said before seconds of probes
  bench.print_probes();
  const bool goes_deep = !bench.options().quick && bench.wants(deep);
  if (!bench.wants(prefill) && !goes_deep &&
      std::ranges::none_of(kBatches, [&](int64_t batch) { return bench.wants(decode(batch)); }))
    return;
  const Kernels& kernels = default_kernels();
  const int64_t shallow = options.prompt_tokens, fresh = options.new_tokens, deepest = std::max(kDeep, shallow) + fresh;
  const auto model = model_to_measure(bench.device(), options.model, options.precision, deepest);
  const DType type = type_of_products(*model);
  const ModelConfig& c = model->config();
  const int64_t most = *std::ranges::max_element(kBatches);
  // A page more for each sequence, as the prefix tree keeps its prompt.
  Engine engine(*model, kernels,
                {.context = std::min(c.context, deepest),
                 .cache_tokens = std::max(deepest, most * (shallow + fresh)) + most * kKeyPage,
                 .kv = options.kv,
                 .batch = most,
                 .step_seconds = 0});
  const std::string adapter = options.adapter.empty() ? "" : "given";
  if (!adapter.empty()) engine.adapters().load(adapter, options.adapter);
  const auto generate = [&](int64_t batch, int64_t depth, int64_t count) {
    for (int64_t i = 0; i < batch; ++i)
      engine.submit({.prompt = random_prompt(c, depth, uint64_t(6 + i)),
                     .sampling = {.temperature = 0},
                     .max_tokens = count,
                     .adapter = adapter},
                    {});
    engine.run();
  };
  const double weights = double(block_weights(c) + classifier_weights(c));

  if (bench.wants(prefill) && kPrefill < engine.context()) {
    const double flop = 2 * prompt_products(c, kPrefill);
    const auto limit = [&] { return double(kPrefill) * bench.peak(kernels, type) / flop; };
    const auto work = [&] {
      engine.forget();
      generate(1, kPrefill, 1);
    };
    bench.print(bench.measure(prefill, "tok/s", double(kPrefill), work, limit));
  }
  // The prompts stay in pages: only their last tokens run again, and fresh - 1 new ones of each.
  const auto measure_decode = [&](const std::string& name, int64_t batch, int64_t depth) {
    if (!bench.wants(name) || depth + fresh > engine.context()) return;
    const double cached = bytes_of_position(c, options.kv) * (double(depth) + double(fresh) / 2);
    const double bytes = bytes_of_weights(*model) + double(batch) * cached;
    // Weights and caches are read once a step, and every token needs its products.
    const auto limit = [&] {
      const double by_reading = double(batch) * bench.read_bandwidth() / bytes;
      return batch == 1 ? by_reading : std::min(by_reading, bench.peak(kernels, type) / (2 * weights));
    };
    generate(batch, depth, fresh);
    bench.print(bench.measure(
        name, "tok/s", double(batch * fresh), [&] { generate(batch, depth, fresh); }, limit));
  };
  for (int64_t batch : kBatches) measure_decode(decode(batch), batch, shallow);
  if (goes_deep) measure_decode(deep, 1, kDeep);
}

}  // namespace fude
