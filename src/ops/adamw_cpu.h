// Kernels of adamw.

inline double sum_of_squares(Threads& threads, const Tensor& x) {
  constexpr int64_t kBlock = 4096;
  const int64_t size = x.size(), blocks = (size + kBlock - 1) / kBlock;
  const float* p = x.data<float>();
  float* sums = scratch(ScratchUse::results, blocks);
  threads.parallel_for(blocks, 16, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      Lanes squares{};
      for_lanes(block * kBlock, std::min(size, (block + 1) * kBlock), [&](int64_t i, auto n) FUDE_INLINE_BODY {
        const Lanes v = load_first(p + i, n);
        squares = fma(v, v, squares);
      });
      sums[block] = sum(squares);
    }
  });
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) total += double(sums[block]);
  return total;
}

// f32 panels [k][32] as bf16 pairs [k / 2][32][2]; `count` is a multiple of two columns.
inline void pair_columns(const float* values, int64_t count, BFloat16* pairs) {
  for (int64_t i = 0; i < count; i += 2 * kPanel)
    for (int64_t lane = 0; lane < kPanel; lane += kPartLanes) {
      const Part even = load_part(values + i + lane);
      const Part odd = load_part(values + i + kPanel + lane);
      const UintPart words = (bf16_bits(even) >> 16) | bf16_bits(odd);
      __builtin_memcpy((void*)(pairs + i + 2 * lane), &words, sizeof words);
    }
}

inline void pack_bf16(Threads& threads, const Tensor& values, Tensor& packed) {
  const float* from = values.data<float>();
  BFloat16* to = packed.data<BFloat16>();
  threads.parallel_for(values.size() / (2 * kPanel), 256, [&](int64_t begin, int64_t end) {
    pair_columns(from + begin * 2 * kPanel, (end - begin) * 2 * kPanel, to + begin * 2 * kPanel);
  });
}

inline void adamw(Threads& threads, const Tensor& gradient, const AdamWStep& step, Tensor& values, Tensor& mean,
                  Tensor& variance, Tensor& packed) {
  const int64_t size = values.size();
  const float* g = gradient.data<float>();
  float *w = values.data<float>(), *m = mean.data<float>(), *v = variance.data<float>();
  const float keep = 1.0f - step.learning_rate * step.weight_decay, size1 = step.learning_rate / step.correction1;
  const float root2 = 1.0f / __builtin_sqrtf(step.correction2);
  BFloat16* pairs = packed.type() == DType::bf16 ? packed.data<BFloat16>() : nullptr;
  threads.parallel_for((size + kLanes - 1) / kLanes, 512, [&](int64_t begin, int64_t end) {
    for_lanes(begin * kLanes, std::min(size, end * kLanes), [&](int64_t i, auto n) FUDE_INLINE_BODY {
      const Lanes d = load_first(g + i, n) * step.gradient_scale;
      const Lanes m1 = fma(load_first(m + i, n), broadcast(step.beta1), d * (1.0f - step.beta1));
      const Lanes v1 = fma(load_first(v + i, n), broadcast(step.beta2), d * d * (1.0f - step.beta2));
      const Lanes divisor = fma(square_root(v1), broadcast(root2), broadcast(step.eps));
      const Lanes w1 = load_first(w + i, n) * keep - size1 * m1 / divisor;
      store_first(m + i, m1, n), store_first(v + i, v1, n), store_first(w + i, w1, n);
    });
    // While the chunk is in the cache; chunks end where columns do.
    if (pairs != nullptr) pair_columns(w + begin * kLanes, (end - begin) * kLanes, pairs + begin * kLanes);
  });
}

void fill_adamw(Kernels& kernels) {
  kernels.sum_of_squares = sum_of_squares;
  kernels.adamw = adamw;
  kernels.pack_bf16 = pack_bf16;
}
