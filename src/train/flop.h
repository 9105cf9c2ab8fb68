// How fast a training step could be at most: what its arithmetic and its memory take at the speeds of the machine.
#pragma once

#include <span>

#include "data/packing.h"
#include "model/flop.h"
#include "ops/probe.h"

namespace fude {

// Two FLOP a multiply-add; forward once, backward twice, but once for weights that are not trained (beside an adapter,
// whose own products are not counted). Attention is counted causal, within its sequences; the classifier for tokens
// that have a target.
double step_flop(const ModelConfig& config, std::span<const TokenBlock> blocks, bool trains_weights = true);

struct MachineLimit {
  double flop_per_second = 0, bytes_per_second = 0;  // the arithmetic peak, the read bandwidth

  // The arithmetic at its peak, then AdamW's pass over memory: weights, gradients and two moments come and go, 32 bytes
  // a parameter.
  double step_seconds(double flop, int64_t parameters) const {
    return flop / flop_per_second + 32 * double(parameters) / bytes_per_second;
  }
};

// Probed in about a tenth of a second, on a device of its own that is gone afterwards.
MachineLimit probe_machine(int threads, const Kernels& kernels, DType compute);

}  // namespace fude
