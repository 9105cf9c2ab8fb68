// Random numbers from (seed, stream, counter): Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011).
//
// There is no state to save: the n-th draw of a stream is a pure function, the same on every machine and resumable at
// any point. A Random is that function with a counter, for code that draws in sequence.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace fude {

// 128 random bits for (seed, stream, counter).
inline std::array<uint32_t, 4> philox(uint64_t seed, uint64_t stream, uint64_t counter) {
  std::array<uint32_t, 4> x = {uint32_t(counter), uint32_t(counter >> 32), uint32_t(stream), uint32_t(stream >> 32)};
  uint32_t key0 = uint32_t(seed), key1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * x[0], p1 = uint64_t(0xCD9E8D57u) * x[2];
    x = {uint32_t(p1 >> 32) ^ x[1] ^ key0, uint32_t(p1), uint32_t(p0 >> 32) ^ x[3] ^ key1, uint32_t(p0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return x;
}

// The normal whose distribution function has the value p, 0 < p < 1, to about seven digits: Wichura, "Algorithm AS 241:
// The percentage points of the normal distribution", 1988, PPND7.
inline float normal_quantile(double p) {
  const double q = p - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return float(q * (((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179) /
                 (((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0));
  }
  const double tail = std::sqrt(-std::log(0.5 - std::abs(q)));
  double x;
  if (tail <= 5.0) {
    const double r = tail - 1.6;
    x = (((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) /
        ((0.12021132975 * r + 0.73700164250) * r + 1.0);
  } else {
    const double r = tail - 5.0;
    x = (((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) /
        ((0.012258202635 * r + 0.24197894225) * r + 1.0);
  }
  return float(q < 0 ? -x : x);
}

// Normals with mean 0 and variance 1 for filling large arrays, eight a call. Each is one of the quantiles at
// (i + 0.5) / 65536, so none is beyond ±4.33: random weights need no finer ones, and a table is several times as fast
// as any formula. Make it once; it holds 256 KiB.
class NormalTable {
 public:
  NormalTable() : quantiles_(size_t(1) << 16) {
    for (size_t i = 0; i < quantiles_.size(); ++i) quantiles_[i] = normal_quantile((double(i) + 0.5) * 0x1p-16);
  }

  std::array<float, 8> eight(uint64_t seed, uint64_t stream, uint64_t counter) const {
    const auto x = philox(seed, stream, counter);
    std::array<float, 8> normals;
    for (size_t i = 0; i < 4; ++i) {
      normals[2 * i] = quantiles_[x[i] & 0xFFFF];
      normals[2 * i + 1] = quantiles_[x[i] >> 16];
    }
    return normals;
  }

 private:
  std::vector<float> quantiles_;
};

// A sequence of draws from one stream. Copy it to branch; read `counter` to save it.
struct Random {
  uint64_t seed = 0;
  uint64_t stream = 0;
  uint64_t counter = 0;

  uint64_t bits() {
    const auto x = philox(seed, stream, counter++);
    return uint64_t(x[1]) << 32 | x[0];
  }
  // Uniform in [0, 1), 53 bits.
  double uniform() { return double(bits() >> 11) * 0x1p-53; }
  // Uniform integer in [0, n), n > 0; the bias is below n / 2^64.
  uint64_t below(uint64_t n) { return uint64_t((static_cast<unsigned __int128>(bits()) * n) >> 64); }
  // Normal with mean 0 and variance 1 (Box-Muller, one of the pair).
  double normal() {
    const double u = 1.0 - uniform(), v = uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }
};

}  // namespace fude
