// The RMS norm of one row, be it a token's (rms_norm) or a head's (qkv_rope):
//
//   y = x · r · weight,   r = 1 / √(mean of x² + eps)
#pragma once

FUDE_INLINE float reciprocal_rms(const float* x, int64_t size, float eps) {
  Lanes squares{};
  for_lanes(0, size, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes v = load_first(x + i, n);
    squares = fma(v, v, squares);
  });
  return 1.0f / __builtin_sqrtf(sum(squares) / float(size) + eps);
}

FUDE_INLINE void rms_row(const float* x, const float* weight, int64_t size, float r, float* y) {
  for_lanes(0, size, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    store_first(y + i, load_first(x + i, n) * r * load_first(weight + i, n), n);
  });
}

// From g = dL/dy: to dx, or onto it, and onto dweight.
FUDE_INLINE void rms_row_backward(const float* x, const float* g, const float* weight, int64_t size, float r, bool add,
                                  float* dx, float* dweight) {
  Lanes dot{};
  for_lanes(0, size, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    const Lanes v = load_first(x + i, n), gradient = load_first(g + i, n);
    dot = fma(gradient * load_first(weight + i, n), v, dot);
    store_first(dweight + i, fma(gradient * r, v, load_first(dweight + i, n)), n);
  });
  const float scale = sum(dot) * r * r * r / float(size);
  for_lanes(0, size, [&](int64_t i, auto n) FUDE_INLINE_BODY {
    Lanes d = load_first(g + i, n) * load_first(weight + i, n) * r - load_first(x + i, n) * scale;
    if (add) d = d + load_first(dx + i, n);
    store_first(dx + i, d, n);
  });
}
