// fude bench gemm: the linear op at the sizes of GPT-2 124M, and at few rows with weights from memory.
#include <algorithm>

#include "app/bench.h"
#include "base/random.h"

namespace fude {
namespace {

enum class Kind { forward, dx, dw };
constexpr const char* kKindNames[] = {"forward", "dX", "dW"};

// A product M x N x K as the matrices multiply: results [M, N], summed over K.
struct Product3 {
  Kind kind;
  int64_t m, n, k;
};

// Of a batch of 2048 tokens: QKV, attention output, MLP up and down, classifier.
constexpr Product3 kProducts[] = {
    {Kind::forward, 2048, 2304, 768}, {Kind::forward, 2048, 768, 768},   {Kind::forward, 2048, 3072, 768},
    {Kind::forward, 2048, 768, 3072}, {Kind::forward, 2048, 50304, 768}, {Kind::dx, 2048, 768, 3072},
    {Kind::dx, 2048, 768, 50304},     {Kind::dw, 3072, 768, 2048},       {Kind::dw, 50304, 768, 2048},
};

struct FewRows {
  int64_t outputs, inputs;
};
constexpr FewRows kFewRows[] = {{8192, 2048}, {3072, 768}};
constexpr int64_t kRowCounts[] = {1, 2, 4, 8, 16};
constexpr double kRotatedBytes = 440e6;

// Small numbers of both signs.
std::vector<float> random_values(int64_t count) {
  std::vector<float> values(size_t(std::min<int64_t>(count, 65536)));
  Random random{1, 2, 0};
  for (float& x : values) x = float(random.uniform() - 0.5);
  return values;
}

Tensor random_tensor(Device& device, int64_t rows, int64_t cols) {
  Tensor tensor(device, {rows, cols}, DType::f32);
  const auto values = random_values(tensor.size());
  float* to = tensor.data<float>();
  for (int64_t i = 0; i < tensor.size(); ++i) to[i] = values[size_t(i) % values.size()];
  return tensor;
}

Parameter random_matrix(Device& device, int64_t outputs, int64_t inputs, DType type) {
  Parameter weight(device, "weight", Parameter::Layout::panels, {{"weight", outputs}}, inputs,
                   {.compute = type, .keeps_master = false});
  const auto values = random_values(65536);
  const auto fill = [&](auto* to) {
    for (int64_t i = 0; i < weight.stored(); ++i)
      to[i] = std::remove_pointer_t<decltype(to)>(values[size_t(i) % values.size()]);
  };
  type == DType::bf16 ? fill(weight.packed().data<BFloat16>()) : fill(weight.packed().data<float>());
  return weight;
}

void measure_product(Bench& bench, const BenchTier& tier, DType type, const Product3& s) {
  const std::string name =
      fmt::format("{}{} {} {}x{}x{}", name_of(type), tier.suffix, kKindNames[int(s.kind)], s.m, s.n, s.k);
  if (!bench.wants(name) || (bench.options().quick && std::max({s.m, s.n, s.k}) > 10000)) return;
  Device& device = bench.device();
  Threads& threads = device.threads();
  const Kernels& kernels = tier.kernels;
  const auto measure = [&](const std::function<void()>& work) {
    const double gigaflop = 2e-9 * double(s.m) * double(s.n) * double(s.k);
    bench.print(bench.measure(name, "GFLOP/s", gigaflop, work, [&] { return bench.peak(kernels, type) / 1e9; }));
  };
  if (s.kind == Kind::forward) {
    const Tensor x = random_tensor(device, s.m, s.k);
    const Parameter weight = random_matrix(device, s.n, s.k, type);
    Tensor y(device, {s.m, s.n}, DType::f32);
    measure([&] { kernels.linear(threads, x, weight, nullptr, y); });
  } else if (s.kind == Kind::dx) {
    const Tensor dy = random_tensor(device, s.m, s.k), dx(device, {s.m, s.n}, DType::f32);
    const Parameter weight = random_matrix(device, s.k, s.n, type);
    measure([&] { kernels.linear_backward_input(threads, dy, weight, {dx, false}); });
  } else {
    const Tensor dy = random_tensor(device, s.k, s.m), x = random_tensor(device, s.k, s.n);
    const Tensor dw(device, {random_matrix(device, s.m, s.n, type).stored()}, DType::f32);
    measure([&] { kernels.linear_backward_weight(threads, dy, x, type, {dw, false}); });
  }
}

void measure_few_rows(Bench& bench, const BenchTier& tier, DType type, const FewRows& shape) {
  const auto name_of_rows = [&](int64_t rows) {
    return fmt::format("{}{} rows {} {}x{}", name_of(type), tier.suffix, rows, shape.outputs, shape.inputs);
  };
  if (std::none_of(std::begin(kRowCounts), std::end(kRowCounts),
                   [&](int64_t rows) { return bench.wants(name_of_rows(rows)); }))
    return;
  Device& device = bench.device();
  const double bytes = double(shape.outputs * shape.inputs * size_of(type));
  std::vector<Parameter> weights;
  while (double(weights.size()) * bytes < kRotatedBytes)
    weights.push_back(random_matrix(device, shape.outputs, shape.inputs, type));
  for (int64_t rows : kRowCounts) {
    if (!bench.wants(name_of_rows(rows))) continue;
    const Tensor x = random_tensor(device, rows, shape.inputs);
    Tensor y(device, {rows, shape.outputs}, DType::f32);
    const double flop = 2.0 * double(rows * shape.outputs * shape.inputs);
    const auto work = [&] {
      for (const Parameter& weight : weights) tier.kernels.linear(device.threads(), x, weight, nullptr, y);
    };
    const auto limit = [&] {
      return std::min(bench.read_bandwidth(), 0.9 * bench.peak(tier.kernels, type) * bytes / flop) / 1e9;
    };
    bench.print(bench.measure(name_of_rows(rows), "GB/s", 1e-9 * bytes * double(weights.size()), work, limit));
  }
}

}  // namespace

void bench_gemm(Bench& bench) {
  bench.print_probes();
  for (const BenchTier& tier : bench.tiers())
    for (DType type : {DType::f32, DType::bf16}) {
      for (const Product3& product : kProducts) measure_product(bench, tier, type, product);
      for (const FewRows& shape : kFewRows) measure_few_rows(bench, tier, type, shape);
    }
}

}  // namespace fude
