// fude bench step: a training step of GPT-2 124M, and the memory it takes.
#include <fstream>

#include "app/bench.h"
#include "app/bench_models.h"
#include "base/random.h"
#include "train/flop.h"
#include "train/optimizer.h"
#include "train/step.h"

namespace fude {
namespace {

struct StepSize {
  int64_t batch, sequence;
};

TokenBlock random_block(const StepSize& size, int64_t vocabulary) {
  TokenBlock block;
  Random random{3, 4, 0};
  block.sequence_starts_S1 = {0};
  for (int64_t row = 0; row < size.batch; ++row) {
    for (int64_t p = 0; p < size.sequence; ++p) {
      block.tokens_N.push_back(int32_t(random.below(uint64_t(vocabulary))));
      block.targets_N.push_back(int32_t(random.below(uint64_t(vocabulary))));
      block.positions_N.push_back(int32_t(p));
    }
    block.sequence_starts_S1.push_back(int32_t(block.tokens_N.size()));
  }
  block.target_count = block.tokens();
  return block;
}

// The largest resident memory of this process since it was last forgotten, in MiB; 0 where the system does not tell.
double peak_resident_mebibytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") return status >> word ? std::stod(word) / 1024 : 0;
  return 0;
}
void forget_peak_resident() { std::ofstream("/proc/self/clear_refs") << "5"; }

void measure_step(Bench& bench, const BenchTier& tier, DType type, const StepSize& size) {
  const std::string name = fmt::format("{}{} step B={} T={}", name_of(type), tier.suffix, size.batch, size.sequence);
  const std::string memory_name = name + " memory";
  if (!bench.wants(name) && !bench.wants(memory_name)) return;
  bench.read_bandwidth();  // the probe's buffer is there from now on
  forget_peak_resident();
  Device device(bench.device().threads().count());
  const auto model = random_gpt2(device, {.compute = type});
  GradientSum sum(*model, tier.kernels, {});
  Optimizer optimizer(device, tier.kernels, model->parameters(), {});
  const TokenBlock block = random_block(size, model->config().vocabulary);
  const auto work = [&] {
    sum.run({&block, 1});
    optimizer.step(sum.gradients(), 3e-4f);
    sum.clear();
  };
  const double tokens = double(block.tokens()), flop = step_flop(model->config(), {&block, 1});
  const auto limit = [&] {
    const MachineLimit machine{bench.peak(tier.kernels, type), bench.read_bandwidth()};
    return tokens / machine.step_seconds(flop, model->parameter_count());
  };
  bench.print(bench.measure(name, "tok/s", tokens, work, limit));
  const double memory = peak_resident_mebibytes() - double(bench.probe_bytes()) / (1 << 20);
  if (memory > 0) bench.print({memory_name, "MiB", {memory, memory, memory}});
}

}  // namespace

void bench_step(Bench& bench, const StepBenchOptions& options) {
  bench.print_probes();
  std::vector<int64_t> sequences = options.sequences;
  if (sequences.empty()) sequences = bench.options().quick ? std::vector<int64_t>{64} : std::vector<int64_t>{64, 512};
  for (int64_t sequence : sequences)
    for (DType type : {DType::f32, DType::bf16})
      measure_step(bench, bench.tiers().front(), type, {options.batch, sequence});
}

}  // namespace fude
