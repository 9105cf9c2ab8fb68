// fude bench: how fast this machine runs the kernels and the program, beside what it could do at most.
#include "app/bench.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>

#include "app/command_line.h"
#include "app/model_files.h"
#include "base/clock.h"
#include "base/error.h"

namespace fude {

Bench::Bench(const BenchOptions& options, const CommonOptions& common)
    : options_(options), json_(common.json), device_(common.threads) {}

std::vector<BenchTier> Bench::tiers() const {
  const Tier chosen = choose_tier();
  std::vector<BenchTier> tiers = {{kernels_of(chosen), ""}};
  if (chosen > Tier::avx2) tiers.push_back({kernels_of(Tier::avx2), "-avx2"});
  return tiers;
}

namespace {

// A number at the end of `part` is a whole one: "decode 1" is not in "decode 16".
bool contains(const std::string& name, const std::string& part) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (size_t at = name.find(part); at != name.npos; at = name.find(part, at + 1)) {
    const size_t end = at + part.size();
    if (part.empty() || end == name.size() || !is_digit(part.back()) || !is_digit(name[end])) return true;
  }
  return false;
}

}  // namespace

bool Bench::wants(const std::string& name) {
  const bool is_wanted =
      options_.filters.empty() || std::any_of(options_.filters.begin(), options_.filters.end(),
                                              [&](const auto& part) { return contains(name, part); });
  has_wanted_ |= is_wanted;
  return is_wanted;
}

void Bench::require_wanted(const std::string& command) const {
  require(has_wanted_,
          "[bench] there is no row whose name contains '{}'; `fude bench {} --help` says what they are called",
          fmt::join(options_.filters, "' or '"), command);
}

double Bench::peak(const Kernels& kernels, DType type) { return measure_peak({device_, kernels}, type); }

double Bench::read_bandwidth() {
  const Pass pass{device_, default_kernels()};
  if (!reader_) {
    reader_.emplace(device_);
    reader_->measure(pass);
  }
  return reader_->measure(pass);
}

void Bench::print_probes() {
  const auto probe = [&](const std::string& name, const char* unit, const std::function<double()>& measured) {
    if (!wants(name)) return;
    std::vector<double> samples;
    for (int i = 0; i < 9; ++i) samples.push_back(measured() / 1e9);
    print({name, unit, spread_of(samples)});
  };
  for (const BenchTier& tier : tiers()) {
    const Kernels& kernels = tier.kernels;
    const std::string peak_of_tier = tier.suffix + " peak";
    probe("f32" + peak_of_tier, "GFLOP/s", [&] { return peak(kernels, DType::f32); });
    if (kernels.probe_bf16) probe("bf16" + peak_of_tier, "GFLOP/s", [&] { return peak(kernels, DType::bf16); });
    if (kernels.probe_i8 == nullptr) continue;
    probe("i8" + peak_of_tier, "GFLOP/s", [&] { return peak(kernels, DType::i8); });
    probe("i8" + peak_of_tier + " with scales", "GFLOP/s", [&] { return measure_scaled_peak({device_, kernels}); });
  }
  probe("read bandwidth", "GB/s", [&] { return read_bandwidth(); });
}

BenchRow Bench::measure(const std::string& name, const std::string& unit, double amount,
                        const std::function<void()>& work, const std::function<double()>& limit) {
  const auto seconds_of = [&](int64_t calls) {
    const double began = now_seconds();
    for (int64_t i = 0; i < calls; ++i) work();
    return now_seconds() - began;
  };
  const int64_t rounds = options_.rounds > 0 ? options_.rounds : options_.quick ? 2 : 7;
  const double shortest_sample = options_.quick ? 0.005 : 0.1;
  const double once = std::min(seconds_of(1), seconds_of(1));
  const int64_t calls = std::max<int64_t>(1, int64_t(shortest_sample / once) + 1);
  std::vector<double> values, limits;
  for (int64_t round = 0; round < rounds; ++round) {
    if (limit) limits.push_back(limit());
    values.push_back(amount * double(calls) / seconds_of(calls));
  }
  if (limit) limits.push_back(limit());
  return {name, unit, spread_of(values), limit ? spread_of(limits).median : 0};
}

void Bench::print(const BenchRow& row) {
  if (!json_ && !has_head_) std::printf("%s\n", bench_table_head().c_str());
  has_head_ = true;
  std::printf("%s\n", (json_ ? bench_json_line(row) : bench_table_line(row)).c_str());
  std::fflush(stdout);
}

namespace {

constexpr const char* kHelp =
    R"(measure speed: median, spread, and the limit that the machine sets.

Limits are probed right before each sample: the arithmetic peak with a loop that touches registers only,
the read bandwidth with a buffer that no cache holds, both on all threads. Rows of the tier that FUDE_TIER
or the processor chooses are called "f32 ..." and "bf16 ..."; gemm measures AVX2 too where that is not it
("f32-avx2 ..."). bf16 in a tier without its dot product is multiplied as f32.)";

constexpr const char* kGemmHelp =
    R"(the linear op and its gradients, weights packed before, activations packed each time.

  f32 forward MxNxK   y[M,N] = x[M,K] W[N,K]^T     M tokens, K inputs, N outputs
  f32 dX MxNxK        dx[M,N] = dy[M,K] W[K,N]     M tokens, N inputs, K outputs
  f32 dW MxNxK        dW[M,N] = dy[K,M]^T x[K,N]   K tokens, N inputs, M outputs
  f32 rows R NxK      forward of R tokens, N outputs, K inputs, over 400 MB of weights in turn, so that they
                      come from memory; bytes of weights a second.
                      limit: min(read bandwidth, 0.9 x peak x bytes of weights / FLOP))";

constexpr const char* kStepHelp =
    R"(a training step of GPT-2 124M, random weights and tokens: forward, loss, backward, clip, AdamW.

  f32 step B=4 T=64           tokens a second
  f32 step B=4 T=64 memory    largest resident memory of the process, the probe's buffer left out

Limit, for N = B x T tokens: seconds = FLOP / peak + 32 bytes x parameters / read bandwidth, with
FLOP = 6 N (12 L C^2 + V C) + 6 L C N (T + 1): matrices, and attention counted causal; forward once, backward
twice; C = 768, L = 12, V = 50257.)";

constexpr const char* kTokenizerHelp =
    R"(MB of text a second, document by document.

  train 8192          BPE training with that vocabulary, all threads (left out with --tokenizer)
  encode, decode      one thread
  encode 2 threads    documents shared out, all threads)";

constexpr const char* kGrammarHelp =
    R"(microseconds for one token mask of a JSON schema, one thread, over answers to ordinary and nasty schemas.

  people cold p99    of a grammar that is new: 99 of 100 masks take no longer; so named by schema
  people warm p50    once the same answer was walked before: the median mask
  all cold p99       over the masks of all schemas

Each mask counts with the median of its rounds; low and high are what the best and the worst rounds give.)";

constexpr const char* kGenerateHelp =
    R"(prompts and single tokens through a model, greedy; tokens a second, of all sequences together.

  prefill 512    a prompt of 512 tokens. limit: FLOP / peak, attention counted causal; the last
                 token alone has logits, and leaves the last block as more than keys and values
  decode 1       one by one, behind 16 others. limit: bytes of the weights, and of the keys and values so
                 far, at the read bandwidth
  decode 8       eight sequences at a time; also 16 and 64. limit: likewise, the weights once for all of them,
                 or FLOP / peak, if that is less
  depth 4096     one by one, behind 4096 others; likewise

The peak is that of f32, of the bf16 dot product, or of products of bytes where weights are blocks of integers.
"i8 peak with scales" is what is left of the latter where 32 products, a block, end as a number with a scale.
With --adapter every sequence runs with it; the limits stay those of the model alone.)";

}  // namespace

void add_bench(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand("bench", kHelp);
  command->require_subcommand(1);
  command->add_flag("--quick", options->quick, "seconds instead of minutes: short rounds, no huge sizes");
  command->add_option("--rounds", options->rounds, "samples of each row; 0: the benchmark's own")
      ->check(between(0, 1000));
  command->add_option("--filter", options->filters, "only rows whose name contains this; again for more")
      ->allow_extra_args(false);  // else a model behind it would be one more filter

  CLI::App* gemm = command->add_subcommand("gemm", kGemmHelp);
  gemm->callback([=, &common] {
    Bench bench(*options, common);
    bench_gemm(bench);
    bench.require_wanted("gemm");
  });

  auto s = std::make_shared<StepBenchOptions>();
  CLI::App* step = command->add_subcommand("step", kStepHelp);
  step->add_option("--batch", s->batch, "sequences (B)")->check(between(1, 1024))->capture_default_str();
  step->add_option("--sequence", s->sequences, "tokens of each (T), several if need be; without: 64 and 512")
      ->check(between(1, 1024));
  step->callback([=, &common] {
    Bench bench(*options, common);
    bench_step(bench, *s);
    bench.require_wanted("step");
  });

  auto t = std::make_shared<TokenizerBenchOptions>();
  CLI::App* tokenizer = command->add_subcommand("tokenizer", kTokenizerHelp);
  tokenizer->add_option("--in", t->inputs, "files or folders of text; without: a generated one");
  tokenizer->add_option("--tokenizer", t->tokenizer,
                        "folder, tokenizer.json, tokenizer.model or .tiktoken; without: trained");
  tokenizer->add_option("--pattern", t->pattern, "how text is split first: o200k, cl100k, llama3, qwen2, gpt2")
      ->capture_default_str();
  tokenizer->add_option("--vocabulary", t->vocabulary, "entries to train")->capture_default_str();
  tokenizer->callback([=, &common] {
    Bench bench(*options, common);
    bench_tokenizer(bench, *t);
    bench.require_wanted("tokenizer");
  });

  auto masks = std::make_shared<std::string>();
  CLI::App* grammar = command->add_subcommand("grammar", kGrammarHelp);
  grammar->add_option("--tokenizer", *masks, "folder, tokenizer.json, tokenizer.model or .tiktoken")->required();
  grammar->callback([=, &common] {
    Bench bench(*options, common);
    bench_grammar(bench, *masks);
    bench.require_wanted("grammar");
  });

  auto g = std::make_shared<GenerateBenchOptions>();
  CLI::App* generate = command->add_subcommand("generate", kGenerateHelp);
  generate->add_option("model", g->model,
                       "model folder, GGUF file or name; without: the default one, or where that was not pulled GPT-2 "
                       "124M with random weights");
  add_adapter_option(*generate, g->adapter);
  generate
      ->add_option("--prompt-tokens", g->prompt_tokens, "of each sequence, in the rows of decoding; not of depth 4096")
      ->check(at_least(1))
      ->capture_default_str();
  generate->add_option("--new-tokens", g->new_tokens, "of each sequence, in the rows of decoding")
      ->check(at_least(1))
      ->capture_default_str();
  add_precision(*generate, g->precision);
  add_kv(*generate, g->kv);
  generate->callback([=, &common] {
    Bench bench(*options, common);
    bench_generate(bench, *g);
    bench.require_wanted("generate");
  });
}

}  // namespace fude
