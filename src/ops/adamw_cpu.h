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

// The step of sixteen elements, or of their first n.
struct AdamWUpdate {
  explicit AdamWUpdate(const AdamWStep& s)
      : step(s),
        keep(1.0f - s.learning_rate * s.weight_decay),
        size(s.learning_rate / s.correction1),
        root2(1.0f / __builtin_sqrtf(s.correction2)) {}

  template <class Count>
  FUDE_INLINE Lanes operator()(Lanes w, const float* gradient, float* mean, float* variance, Count n) const {
    const Lanes d = load_first(gradient, n) * step.gradient_scale;
    const Lanes m = fma(load_first(mean, n), broadcast(step.beta1), d * (1.0f - step.beta1));
    const Lanes v = fma(load_first(variance, n), broadcast(step.beta2), d * d * (1.0f - step.beta2));
    const Lanes divisor = fma(square_root(v), broadcast(root2), broadcast(step.eps));
    store_first(mean, m, n), store_first(variance, v, n);
    return w * keep - size * m / divisor;
  }

  AdamWStep step;
  float keep, size, root2;
};

// Sixteen lanes of two columns whose halves lie in pairs (tensor/split_float.h).
struct ColumnPair {
  Lanes even, odd;
};

FUDE_INLINE UintPart load_pairs(const void* p) {
  UintPart words;
  __builtin_memcpy(&words, p, sizeof words);
  return words;
}

FUDE_INLINE ColumnPair join_halves(const BFloat16* upper, const int16_t* remainders) {
  ColumnPair x;
  for (size_t i = 0; i < kLanes / kPartLanes; ++i) {
    const UintPart words = load_pairs(upper + 2 * kPartLanes * int64_t(i));
    const IntPart rest = (IntPart)load_pairs(remainders + 2 * kPartLanes * int64_t(i));
    x.even.part[i] = (Part)((words << 16) + (UintPart)(rest << 16 >> 16));
    x.odd.part[i] = (Part)((words & 0xFFFF0000u) + (UintPart)(rest >> 16));
  }
  return x;
}

FUDE_INLINE void split_halves(const ColumnPair& x, BFloat16* upper, int16_t* remainders) {
  for (size_t i = 0; i < kLanes / kPartLanes; ++i) {
    const UintPart even = (UintPart)x.even.part[i], odd = (UintPart)x.odd.part[i];
    const UintPart even_upper = bf16_bits_of_weight(x.even.part[i]), odd_upper = bf16_bits_of_weight(x.odd.part[i]);
    const UintPart words = (even_upper >> 16) | odd_upper;
    const UintPart rest = ((even - even_upper) & 0xFFFFu) | (odd - odd_upper) << 16;
    __builtin_memcpy((void*)(upper + 2 * kPartLanes * int64_t(i)), &words, sizeof words);
    __builtin_memcpy((void*)(remainders + 2 * kPartLanes * int64_t(i)), &rest, sizeof rest);
  }
}

inline void adamw(Threads& threads, const Tensor& gradient, const AdamWStep& step, Tensor& mean, Tensor& variance,
                  Parameter& parameter) {
  const int64_t size = parameter.stored();
  const float* g = gradient.data<float>();
  float *m = mean.data<float>(), *v = variance.data<float>();
  const AdamWUpdate update(step);
  if (parameter.compute() == DType::f32) {
    float* w = parameter.values().data<float>();
    return threads.parallel_for((size + kLanes - 1) / kLanes, 512, [&](int64_t begin, int64_t end) {
      for_lanes(begin * kLanes, std::min(size, end * kLanes), [&](int64_t i, auto n) FUDE_INLINE_BODY {
        store_first(w + i, update(load_first(w + i, n), g + i, m + i, v + i, n), n);
      });
    });
  }
  BFloat16* upper = parameter.packed().data<BFloat16>();
  int16_t* remainders = parameter.remainders().data<int16_t>();
  constexpr int64_t kPair = 2 * kPanel;  // two columns of a panel
  const std::integral_constant<int64_t, kLanes> all;
  threads.parallel_for(size / kPair, 128, [&](int64_t begin, int64_t end) {
    for (int64_t pair = begin * kPair; pair < end * kPair; pair += kPair)
      for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
        const int64_t even = pair + lane, odd = even + kPanel, halves = pair + 2 * lane;
        ColumnPair w = join_halves(upper + halves, remainders + halves);
        w.even = update(w.even, g + even, m + even, v + even, all);
        w.odd = update(w.odd, g + odd, m + odd, v + odd, all);
        split_halves(w, upper + halves, remainders + halves);
      }
  });
}

void fill_adamw(Kernels& kernels) {
  kernels.sum_of_squares = sum_of_squares;
  kernels.adamw = adamw;
}
