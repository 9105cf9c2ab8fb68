// What the benchmarks share: their options, the device with its probes, and how a row is measured.
//
// A limit drifts: the memory of a rented machine gives 25 GB/s now and 50 a minute later. So every sample has
// its limit probed right before it, and a row reports the medians of both.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/bench_report.h"
#include "app/commands.h"
#include "backend/cpu/tier.h"
#include "ops/probe.h"

namespace fude {

struct BenchOptions {
  bool quick = false;
  int64_t rounds = 0;  // 0: each benchmark's own
  std::vector<std::string> filters;
};

// Kernels with the name they have in rows: "f32", or "f32-avx2" where a better tier is the default.
struct BenchTier {
  const Kernels& kernels;
  std::string suffix;
};

class Bench {
 public:
  Bench(const BenchOptions& options, const CommonOptions& common);

  Device& device() { return device_; }
  const BenchOptions& options() const { return options_; }
  // The chosen tier first, then AVX2 where that is not it.
  std::vector<BenchTier> tiers() const;
  // Whether --filter leaves a row of this name.
  bool wants(const std::string& name);
  // Error if of all rows that were asked about none was wanted.
  void require_wanted(const std::string& command) const;

  // FLOP/s and bytes/s now, with all threads.
  double peak(const Kernels& kernels, DType type);
  double read_bandwidth();
  int64_t probe_bytes() const { return reader_ ? reader_->bytes() : 0; }
  // Rows for the probes themselves.
  void print_probes();

  // Runs `work`, which does `amount` of `unit`, in rounds: the limit, then the work, often enough for a
  // sample that the clock can tell. `limit` (empty: none) is in units per second.
  BenchRow measure(const std::string& name, const std::string& unit, double amount, const std::function<void()>& work,
                   const std::function<double()>& limit = {});
  void print(const BenchRow& row);

 private:
  BenchOptions options_;
  bool json_;
  Device device_;
  std::optional<ReadProbe> reader_;
  bool has_head_ = false, has_wanted_ = false;
};

void bench_gemm(Bench& bench);

struct StepBenchOptions {
  int64_t batch = 4;
  std::vector<int64_t> sequences;  // empty: 64, and 512 unless quick
};
void bench_step(Bench& bench, const StepBenchOptions& options);

struct TokenizerBenchOptions {
  std::vector<std::string> inputs;  // files; none: text of `fude life`
  std::string tokenizer;            // empty: trained on the text
  std::string pattern = "o200k";
  int64_t vocabulary = 8192;
};
void bench_tokenizer(Bench& bench, const TokenizerBenchOptions& options);

// `tokenizer`: as Tokenizer::load takes it.
void bench_grammar(Bench& bench, const std::string& tokenizer);

struct GenerateBenchOptions {
  std::string model;    // as commands take it; empty: the default one if it is there, else random weights
  std::string adapter;  // of every sequence; empty: none
  Precision precision;
  DType kv = DType::f32;                        // what keys and values are kept in
  int64_t prompt_tokens = 16, new_tokens = 16;  // of each sequence in a row of decoding
};
void bench_generate(Bench& bench, const GenerateBenchOptions& options);

}  // namespace fude
