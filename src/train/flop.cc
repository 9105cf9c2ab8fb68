#include "train/flop.h"

#include <algorithm>

namespace fude {

double step_flop(const ModelConfig& config, std::span<const TokenBlock> blocks, bool trains_weights) {
  const double passes = trains_weights ? 3 : 2;  // over a weight
  double products = 0;
  for (const TokenBlock& block : blocks) {
    products += passes * (double(block_weights(config)) * double(block.tokens()) +
                          double(classifier_weights(config)) * double(block.target_count));
    for (int64_t s = 0; s < block.sequences(); ++s) {
      const int64_t first = block.sequence_starts_S1[size_t(s)], last = block.sequence_starts_S1[size_t(s + 1)];
      if (first == last) continue;
      const int64_t begin = block.positions_N[size_t(first)];
      products += 3 * attention_products(config, last - first, begin);
    }
  }
  return 2 * products;
}

MachineLimit probe_machine(int threads, const Kernels& kernels, DType compute) {
  constexpr int64_t kBytes = int64_t(128) << 20;  // more than most caches hold, and quick to fill
  Device device(threads);
  const Pass pass{device, kernels};
  const ReadProbe memory(device, kBytes);
  MachineLimit limit;
  // Whatever else the machine does can only slow a probe down.
  for (int i = 0; i < 2; ++i) limit.flop_per_second = std::max(limit.flop_per_second, measure_peak(pass, compute));
  for (int i = 0; i < 3; ++i) limit.bytes_per_second = std::max(limit.bytes_per_second, memory.measure(pass));
  return limit;
}

}  // namespace fude
