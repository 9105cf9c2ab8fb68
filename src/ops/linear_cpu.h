// Kernels of linear: one register tile serves forward, dX and dW.
//
// The tile holds R rows x 32 lanes of results in registers and runs one chain of fused multiply-adds per result:
//
//     result[r][lane] += a[r · row_stride + t · step] · panel[t][lane]        t = 0 … depth-1
//
// Forward reads the weight's panels as they lie. dX needs W by rows: blocks of a panel are turned in a scratch that stays
// in L2. dW's lanes are output features, so dY's columns are gathered into a panel and x into tiles of R columns.
// The accumulators are array elements with constant indices only (fold expressions): in a loop g++ 12 keeps them on the
// stack and the kernel runs at half speed.

#if FUDE_TIER_LEVEL >= 2
using Vector = __m512;
inline constexpr int kWidth = 16, kTileRows = 12, kTileVectors = 2;
FUDE_INLINE Vector vector_load(const float* p) { return _mm512_loadu_ps(p); }
FUDE_INLINE void vector_store(float* p, Vector x) { _mm512_storeu_ps(p, x); }
FUDE_INLINE Vector vector_set(float x) { return _mm512_set1_ps(x); }
FUDE_INLINE Vector vector_fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
#elif FUDE_TIER_LEVEL == 1
using Vector = __m256;
inline constexpr int kWidth = 8, kTileRows = 6, kTileVectors = 2;
FUDE_INLINE Vector vector_load(const float* p) { return _mm256_loadu_ps(p); }
FUDE_INLINE void vector_store(float* p, Vector x) { _mm256_storeu_ps(p, x); }
FUDE_INLINE Vector vector_set(float x) { return _mm256_set1_ps(x); }
FUDE_INLINE Vector vector_fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
#else
typedef float Vector __attribute__((vector_size(16)));
inline constexpr int kWidth = 4, kTileRows = 4, kTileVectors = 2;
FUDE_INLINE Vector vector_load(const float* p) { return Vector{p[0], p[1], p[2], p[3]}; }
FUDE_INLINE void vector_store(float* p, Vector x) {
  for (int i = 0; i < 4; ++i) p[i] = x[i];
}
FUDE_INLINE Vector vector_set(float x) { return Vector{x, x, x, x}; }
FUDE_INLINE Vector vector_fma(Vector a, Vector b, Vector c) {
  for (int i = 0; i < 4; ++i) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
}
#endif
inline constexpr int kTileLanes = kWidth * kTileVectors;

// What a tile starts from: zero, one row of lanes (a bias), or the results already there.
enum class Start { zero, bias, results };

struct TileArguments {
  const float* a;
  int64_t row_stride, step, depth;
  const float* panel;  // [depth, kPanel], already offset to the tile's lanes
  const float* bias;
  float* results;
  int64_t result_stride;
  Start start;
};

template <size_t... I>
FUDE_INLINE void run_tile(const TileArguments& t, std::index_sequence<I...>) {
  constexpr int V = kTileVectors;
  Vector acc[sizeof...(I)];
  if (t.start == Start::zero) {
    ((acc[I] = vector_set(0.0f)), ...);
  } else if (t.start == Start::bias) {
    ((acc[I] = vector_load(t.bias + int64_t(I % V) * kWidth)), ...);
  } else {
    ((acc[I] = vector_load(t.results + int64_t(I / V) * t.result_stride + int64_t(I % V) * kWidth)), ...);
  }
  const float* a = t.a;
  const float* b = t.panel;
  const int64_t row_stride = t.row_stride, step = t.step;
  for (int64_t k = t.depth; k > 0; --k) {
    const Vector b0 = vector_load(b), b1 = vector_load(b + kWidth);
    ((acc[I] = vector_fma(vector_set(a[int64_t(I / V) * row_stride]), I % V == 0 ? b0 : b1, acc[I])), ...);
    a += step;
    b += kPanel;
  }
  ((vector_store(t.results + int64_t(I / V) * t.result_stride + int64_t(I % V) * kWidth, acc[I])), ...);
}

template <int R>
void tile_of(const TileArguments& t) {
  run_tile(t, std::make_index_sequence<size_t(R) * kTileVectors>());
}

using TileFunction = void (*)(const TileArguments&);
template <size_t... R>
constexpr auto make_tile_table(std::index_sequence<R...>) {
  struct Table {
    TileFunction of_rows[sizeof...(R) + 1];
  };
  return Table{{nullptr, &tile_of<int(R) + 1>...}};
}
inline constexpr auto kTiles = make_tile_table(std::make_index_sequence<kTileRows>());

// Runs a tile over all 32 lanes of a panel, of which `lanes` are real: with fewer the results pass through a buffer.
inline void run_panel(TileArguments t, int64_t rows, int64_t lanes) {
  float buffer[kTileRows * kPanel];
  float bias[kPanel] = {};
  float* const results = t.results;
  const int64_t stride = t.result_stride;
  if (lanes < kPanel) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < kPanel; ++i)
        buffer[r * kPanel + i] = t.start == Start::results && i < lanes ? results[r * stride + i] : 0.0f;
    if (t.start == Start::bias) std::copy(t.bias, t.bias + lanes, bias), t.bias = bias;
    t.results = buffer, t.result_stride = kPanel;
  }
  for (int64_t lane = 0; lane < kPanel; lane += kTileLanes) {
    TileArguments part = t;
    part.panel += lane, part.results += lane;
    if (part.bias != nullptr) part.bias += lane;
    kTiles.of_rows[rows](part);
  }
  if (lanes < kPanel)
    for (int64_t r = 0; r < rows; ++r) std::copy(buffer + r * kPanel, buffer + r * kPanel + lanes, results + r * stride);
}

inline int64_t panels_of(int64_t rows) { return (rows + kPanel - 1) / kPanel; }

// Rows of x that stay in L2 while the panels stream by.
inline int64_t row_block(int64_t depth) {
  const int64_t rows = (int64_t(512) << 10) / (4 * std::max<int64_t>(depth, 1)) / kTileRows * kTileRows;
  return std::clamp<int64_t>(rows, kTileRows * 4, kTileRows * 32);
}

inline void linear(Threads& threads, const Tensor& x_NK, const Parameter& w, const Parameter* bias, Tensor& y_NO) {
  const int64_t n = x_NK.rows(), depth = w.cols(), outputs = w.rows(), panels = panels_of(outputs);
  const float *x = x_NK.data<float>(), *weight = w.values().data<float>();
  const float* b = bias ? bias->values().data<float>() : nullptr;
  float* y = y_NO.data<float>();
  const int64_t block = row_block(depth), blocks = (n + block - 1) / block;
  const int64_t group = std::max<int64_t>(1, std::min<int64_t>(panels / 4, 8)), groups = (panels + group - 1) / group;
  threads.parallel_for(blocks * groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t first_row = item / groups * block, last_row = std::min(n, first_row + block);
      const int64_t first_panel = item % groups * group, last_panel = std::min(panels, first_panel + group);
      for (int64_t panel = first_panel; panel < last_panel; ++panel)
        for (int64_t row = first_row; row < last_row; row += kTileRows)
          run_panel({x + row * depth, depth, 1, depth, weight + panel * kPanel * depth, b ? b + panel * kPanel : nullptr,
                     y + row * outputs + panel * kPanel, outputs, b ? Start::bias : Start::zero},
                    std::min<int64_t>(kTileRows, last_row - row), std::min(kPanel, outputs - panel * kPanel));
    }
  });
}

// dx[n,k] = Σ over o of dy[n,o] · w[o,k]: a thread owns 32 columns k; W's block is turned so that k is the lane.
inline void linear_backward_input(Threads& threads, const Tensor& dy_NO, const Parameter& w, GradientPlace dx_NK) {
  const int64_t n = dy_NO.rows(), depth = w.cols(), outputs = w.rows();
  const float *dy = dy_NO.data<float>(), *weight = w.values().data<float>();
  float* dx = dx_NK.tensor.data<float>();
  constexpr int64_t kBlock = 512;
  threads.parallel_for(panels_of(depth), 1, [&](int64_t begin, int64_t end) {
    std::vector<float> turned(size_t(std::min(outputs, kBlock)) * kPanel);
    for (int64_t column = begin * kPanel; column < std::min(depth, end * kPanel); column += kPanel) {
      const int64_t lanes = std::min(kPanel, depth - column);
      for (int64_t first = 0; first < outputs; first += kBlock) {
        const int64_t count = std::min(kBlock, outputs - first);
        for (int64_t o = 0; o < count; o += kPanel) {
          const float* panel = weight + (first + o) * depth + column * kPanel;
          const int64_t features = std::min(kPanel, count - o);
          for (int64_t i = 0; i < features; ++i) {
            float* to = turned.data() + (o + i) * kPanel;
            for (int64_t k = 0; k < lanes; ++k) to[k] = panel[k * kPanel + i];
            for (int64_t k = lanes; k < kPanel; ++k) to[k] = 0.0f;
          }
        }
        const Start start = first > 0 || dx_NK.add ? Start::results : Start::zero;
        for (int64_t row = 0; row < n; row += kTileRows)
          run_panel({dy + row * outputs + first, outputs, 1, count, turned.data(), nullptr, dx + row * depth + column,
                     depth, start},
                    std::min<int64_t>(kTileRows, n - row), lanes);
      }
    }
  });
}

// dw[o,k] = Σ over n of dy[n,o] · x[n,k], in w's panels.
inline void linear_backward_weight(Threads& threads, const Tensor& dy_NO, const Tensor& x_NK, GradientPlace dw) {
  const int64_t n = dy_NO.rows(), depth = x_NK.cols(), outputs = dy_NO.cols(), panels = panels_of(outputs);
  const float *dy = dy_NO.data<float>(), *x = x_NK.data<float>();
  float* result = dw.tensor.data<float>();
  const int64_t tiles = (depth + kTileRows - 1) / kTileRows;
  std::vector<float> x_tiles(size_t(tiles * n * kTileRows));  // [tile][n][kTileRows]
  threads.parallel_for(tiles, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = 0; row < n; ++row)
      for (int64_t tile = begin; tile < end; ++tile) {
        float* to = x_tiles.data() + (tile * n + row) * kTileRows;
        const int64_t count = std::min<int64_t>(kTileRows, depth - tile * kTileRows);
        for (int64_t k = 0; k < count; ++k) to[k] = x[row * depth + tile * kTileRows + k];
      }
  });
  threads.parallel_for(panels, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> columns(size_t(n) * kPanel);
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t lanes = std::min(kPanel, outputs - panel * kPanel);
      for (int64_t row = 0; row < n; ++row) {
        const float* from = dy + row * outputs + panel * kPanel;
        float* to = columns.data() + row * kPanel;
        std::fill(std::copy(from, from + lanes, to), to + kPanel, 0.0f);  // the panel before left its columns
      }
      for (int64_t tile = 0; tile < tiles; ++tile)
        run_panel({x_tiles.data() + tile * n * kTileRows, 1, kTileRows, n, columns.data(), nullptr,
                   result + panel * kPanel * depth + tile * kTileRows * kPanel, kPanel,
                   dw.add ? Start::results : Start::zero},
                  std::min<int64_t>(kTileRows, depth - tile * kTileRows), kPanel);
    }
  });
}

inline void linear_backward_bias(Threads& threads, const Tensor& dy_NO, GradientPlace db) {
  const int64_t n = dy_NO.rows(), outputs = dy_NO.cols();
  const float* dy = dy_NO.data<float>();
  float* result = db.tensor.data<float>();
  threads.parallel_for(outputs, 256, [&](int64_t begin, int64_t end) {
    if (!db.add) std::fill(result + begin, result + end, 0.0f);
    for (int64_t row = 0; row < n; ++row)
      for (int64_t o = begin; o < end; ++o) result[o] += dy[row * outputs + o];
  });
}

void fill_linear(Kernels& kernels) {
  kernels.linear = linear;
  kernels.linear_backward_input = linear_backward_input;
  kernels.linear_backward_weight = linear_backward_weight;
  kernels.linear_backward_bias = linear_backward_bias;
}
