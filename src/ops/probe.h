// What this machine can do at most, measured: the yardstick that stands beside every benchmark.
//
// The arithmetic peak comes from a loop that touches registers only, so no kernel of the tier can be faster;
// the read bandwidth from summing a buffer that no cache holds. Both use every thread of the device and take
// about 20 ms, short enough to be taken again right before each measurement.
#pragma once

#include "ops/pass.h"

namespace fude {

// FLOP/s of multiply-adds. bf16: of the tier's dot product; where it has none, bf16 is multiplied as f32. i8: of
// products of bytes, likewise.
double measure_peak(const Pass& pass, DType type);

// The same of bytes whose sums over 32 products, a block's, are scaled and added as f32; 0 where measure_peak has no
// products of bytes either. The most that a product over blocks can reach.
double measure_scaled_peak(const Pass& pass);

// Bytes/s of reading memory: a buffer of so many bytes, in whole MiB.
class ReadProbe {
 public:
  static constexpr int64_t kBytes = int64_t(512) << 20;
  explicit ReadProbe(Device& device, int64_t bytes = kBytes);
  double measure(const Pass& pass) const;
  int64_t bytes() const { return buffer_.bytes(); }

 private:
  Tensor buffer_;
};

}  // namespace fude
