#include "ops/probe.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"

namespace fude {
namespace {

constexpr int64_t kRounds = 10000;  // some 30 µs: many chunks, so that the threads end together
constexpr double kSeconds = 0.02;
constexpr int64_t kChunkBytes = int64_t(1) << 20;

double rate_of(const Pass& pass, double (*probe)(int64_t rounds)) {
  const double flop = probe(1) * double(kRounds);
  const auto seconds_of = [&](int64_t chunks) {
    const double began = now_seconds();
    pass.threads().parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) probe(kRounds);
    });
    return now_seconds() - began;
  };
  const int64_t few = 8 * pass.threads().count();  // wakes the threads, tells how many chunks fill the time
  const int64_t chunks = std::max(few, int64_t(kSeconds / seconds_of(few) * double(few)));
  return flop * double(chunks) / seconds_of(chunks);
}

}  // namespace

double measure_peak(const Pass& pass, DType type) {
  require(type == DType::f32 || type == DType::bf16 || type == DType::i8, "[probe] expected f32, bf16 or i8, got {}",
          name_of(type));
  const auto own = type == DType::i8 ? pass.kernels.probe_i8 : type == DType::bf16 ? pass.kernels.probe_bf16 : nullptr;
  return rate_of(pass, own != nullptr ? own : pass.kernels.probe_f32);
}

double measure_scaled_peak(const Pass& pass) {
  return pass.kernels.probe_i8_scaled == nullptr ? 0 : rate_of(pass, pass.kernels.probe_i8_scaled);
}

ReadProbe::ReadProbe(Device& device, int64_t bytes) : buffer_(device, {bytes / 4}, DType::f32) {
  require(bytes >= kChunkBytes && bytes % kChunkBytes == 0, "[probe] expected whole MiB, got {} bytes", bytes);
  float* values = buffer_.data<float>();
  device.threads().parallel_for(bytes / kChunkBytes, 1, [&](int64_t begin, int64_t end) {
    std::fill(values + begin * kChunkBytes / 4, values + end * kChunkBytes / 4, 1.0f);
  });
}

double ReadProbe::measure(const Pass& pass) const {
  const float* values = buffer_.data<float>();
  const double began = now_seconds();
  pass.threads().parallel_for(bytes() / kChunkBytes, 1, [&](int64_t begin, int64_t end) {
    pass.kernels.probe_read(values + begin * kChunkBytes / 4, (end - begin) * kChunkBytes / 4);
  });
  return double(bytes()) / (now_seconds() - began);
}

}  // namespace fude
