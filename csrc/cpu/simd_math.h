// exp, sigmoid and tanh of vectors. Per instruction set: see simd.h.
#pragma once

#include "simd.h"

namespace gban::GBAN_ISA {

// exp(x) for x in [-87, 88], relative error below 2e-7; a NaN stays one.
inline Floats exp_bounded(Floats x) {
  // Cody and Waite: x = n ln 2 + r, and 2^n set as exponent bits.
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const Floats shifted = x * 1.44269504f + kMagic;
  const Floats n = shifted - kMagic;
  const Floats r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Floats p = all(1.9875691500e-4f);  // Cephes expf
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  Ints bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits - 0x4B400000 + 127) << 23;
  Floats scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

// x held within [-limit, limit]; a NaN compares false and passes.
inline Floats clamp(Floats x, float limit) {
  x = x < -limit ? all(-limit) : x;
  return x > limit ? all(limit) : x;
}

// u = 1 / (exp(2x) + 1), so that tanh(x) = 1 - 2u and 1 - tanh(x)^2 = 4u (1 - u).
inline Floats tanh_complement(Floats x) {
  return 1.0f / (exp_bounded(clamp(2.0f * x, 30.0f)) + 1.0f);  // saturated beyond
}

inline Floats tanh_of(Floats x) { return 1.0f - 2.0f * tanh_complement(x); }

inline Floats sigmoid(Floats x) { return 1.0f / (1.0f + exp_bounded(clamp(-x, 80.0f))); }

}  // namespace gban::GBAN_ISA
