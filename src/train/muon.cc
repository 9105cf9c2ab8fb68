#include "train/muon.h"

#include <algorithm>
#include <cmath>

namespace fude {
namespace {

constexpr int kSteps = 5;
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;
constexpr int64_t kGrain = 8;  // rows

// [rows, cols] → [cols, rows]
Tensor transposed(const Pass& pass, const Tensor& x) {
  const int64_t rows = x.rows(), cols = x.cols();
  Tensor y = pass.empty({cols, rows});
  if (pass.device.only_counts()) return y;
  const float* from = x.data<float>();
  float* to = y.data<float>();
  pass.threads().parallel_for(cols, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t col = begin; col < end; ++col) to[col * rows + row] = from[row * cols + col];
  });
  return y;
}

// x is tall: [n, m] with n >= m, so that the Gram matrix is the small one.
void orthogonalize_tall(const Pass& pass, Tensor& x_NM) {
  const int64_t n = x_NM.rows(), m = x_NM.cols();
  Parameter gram(pass.device, "muon", Parameter::Layout::panels, {{"muon", m}}, m);  // A, then bA + cA²
  Tensor gram_panels = gram.values();
  Tensor gram_MM = pass.empty({m, m}), square_MM = pass.empty({m, m}), y_NM = pass.empty({n, m});
  const double norm = std::sqrt(pass.kernels.sum_of_squares(pass.threads(), x_NM));
  const float scale = float(1.0 / (norm + 1e-7));
  float* x = x_NM.data<float>();
  const bool is_real = !pass.device.only_counts();
  if (is_real)
    pass.threads().parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin * m; i < end * m; ++i) x[i] *= scale;
    });
  for (int step = 0; step < kSteps; ++step) {
    pass.kernels.linear_backward_weight(pass.threads(), x_NM, x_NM, DType::f32,
                                        {gram_panels, false});  // A = XᵀX, in panels
    float *a = gram_MM.data<float>(), *panels = gram_panels.data<float>();
    if (is_real)
      pass.threads().parallel_for(
          m, kGrain, [&](int64_t begin, int64_t end) { gram.get_rows(begin, end - begin, a + begin * m); });
    pass.kernels.linear(pass.threads(), gram_MM, gram, nullptr, square_MM);  // A Aᵀ = A²
    const float* square = square_MM.data<float>();
    if (is_real)
      pass.threads().parallel_for(m, kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
          for (int64_t col = 0; col < m; ++col)
            panels[gram.position(row, col)] = kB * a[row * m + col] + kC * square[row * m + col];
      });
    pass.kernels.linear(pass.threads(), x_NM, gram, nullptr, y_NM);
    const float* y = y_NM.data<float>();
    if (is_real)
      pass.threads().parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin * m; i < end * m; ++i) x[i] = kA * x[i] + y[i];
      });
  }
}

}  // namespace

void orthogonalize(const Pass& pass, Tensor& x) {
  require(x.shape().rank() == 2, "[muon] expected a matrix, got {}", x.shape());
  if (x.rows() >= x.cols()) return orthogonalize_tall(pass, x);
  Tensor tall = transposed(pass, x);
  orthogonalize_tall(pass, tall);
  x = transposed(pass, tall);
}

bool is_block_matrix(const Parameter& parameter) {
  if (!parameter.is_matrix()) return false;
  for (const char* outside : {"embed", "lm_head", "wte", "wpe"})
    if (parameter.name().find(outside) != std::string::npos) return false;
  return true;
}

void muon_step(const Pass& pass, const Tensor& gradient, const MuonStep& step, Tensor& momentum, Parameter& parameter) {
  require(parameter.is_matrix(), "[muon] {}: expected a matrix", parameter.name());
  require(gradient.size() == parameter.stored() && momentum.size() == parameter.stored(),
          "[muon] {}: expected {} elements, got a gradient of {} and momentum of {}", parameter.name(),
          parameter.stored(), gradient.size(), momentum.size());
  const int64_t cols = parameter.cols();
  const float beta = step.momentum, scale = step.gradient_scale;
  const float* g = gradient.data<float>();
  float* moment = momentum.data<float>();
  const bool is_real = !pass.device.only_counts();
  if (is_real)
    pass.threads().parallel_for(parameter.stored(), 1 << 14, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) moment[i] = beta * moment[i] + (1 - beta) * (scale * g[i]);
    });
  std::vector<int64_t> heights;  // of the matrices
  for (const Segment& segment : parameter.segments())
    heights.insert(heights.end(), size_t(segment.matrices), segment.rows / segment.matrices);
  int64_t first = 0;
  for (const int64_t rows : heights) {
    Tensor direction = pass.empty({rows, cols});
    if (is_real) {
      float* d = direction.data<float>();
      pass.threads().parallel_for(rows, kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row)
          for (int64_t col = 0; col < cols; ++col) {
            const int64_t at = parameter.position(first + row, col);
            d[row * cols + col] = beta * moment[at] + (1 - beta) * (scale * g[at]);
          }
      });
    }
    orthogonalize(pass, direction);
    if (is_real) {
      const float* d = direction.data<float>();
      const float keep = 1 - step.learning_rate * step.weight_decay;
      const float rate = step.learning_rate * float(std::sqrt(std::max(1.0, double(rows) / double(cols))));
      pass.threads().parallel_for(rows, kGrain, [&](int64_t begin, int64_t end) {
        std::vector<float> values(size_t(kGrain * cols));
        for (int64_t row = begin; row < end; row += kGrain) {
          const int64_t count = std::min(kGrain, end - row);
          parameter.get_rows(first + row, count, values.data());
          for (int64_t i = 0; i < count * cols; ++i)
            values[size_t(i)] = keep * values[size_t(i)] - rate * d[row * cols + i];
          parameter.set_rows(first + row, count, values.data());
        }
      });
    }
    first += rows;
  }
}

}  // namespace fude
