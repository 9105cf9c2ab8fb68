// Activations and their slopes, for sixteen elements.
#pragma once

struct Activation {
  Lanes value, slope;  // a(x), a'(x)
};

// a(x) = x · s(x) with s the logistic function
FUDE_INLINE Lanes silu(Lanes x) { return x * sigmoid(x); }
FUDE_INLINE Activation silu_and_slope(Lanes x) {
  const Lanes s = sigmoid(x);
  return {x * s, s * fma(x, 1.0f - s, broadcast(1.0f))};
}

// GELU by its tanh (Hendrycks & Gimpel, 2016): a(x) = ½ x (1 + tanh(z)), z = √(2/π) (x + 0.044715 x³), and
// ½ (1 + tanh(z)) is the logistic function of 2z.
inline constexpr float kGeluSlope = 2 * 0.7978845608f, kGeluCubic = 0.044715f;

FUDE_INLINE Lanes gelu(Lanes x) {
  return x * sigmoid(x * kGeluSlope * fma(x * x, broadcast(kGeluCubic), broadcast(1.0f)));
}
FUDE_INLINE Activation gelu_and_slope(Lanes x) {
  // The slope is 0 or 1 long before; behind it x³ overflows.
  const Lanes near = max(min(x, broadcast(100.0f)), broadcast(-100.0f));
  const Lanes cubic = near * near * kGeluCubic, s = sigmoid(near * kGeluSlope * (1.0f + cubic));
  return {x * s, fma(near * (s * (1.0f - s)), kGeluSlope * (1.0f + 3.0f * cubic), s)};
}
