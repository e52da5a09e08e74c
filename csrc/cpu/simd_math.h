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

// x held within [-limit, limit]; a NaN passes.
inline Floats clamp(Floats x, float limit) {
#if defined(__AVX512F__)
  const __m512 least = reinterpret_cast<__m512>(all(-limit)),
               most = reinterpret_cast<__m512>(all(limit));
  return reinterpret_cast<Floats>(
      _mm512_min_ps(most, _mm512_max_ps(least, reinterpret_cast<__m512>(x))));
#elif defined(__AVX2__)
  const __m256 least = reinterpret_cast<__m256>(all(-limit)),
               most = reinterpret_cast<__m256>(all(limit));
  return reinterpret_cast<Floats>(
      _mm256_min_ps(most, _mm256_max_ps(least, reinterpret_cast<__m256>(x))));
#else
  x = x < -limit ? all(-limit) : x;
  return x > limit ? all(limit) : x;
#endif
}

// exp(factor x) with x held within [-limit, limit], for the gates: relative error below 4e-7 where
// |factor x| <= 2, and growing with it to 2e-6 at 40, where a gate is shut or open anyhow.
inline Floats exp_gate(Floats x, float factor, float limit) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const float rate = factor * 1.44269504f;
  x = clamp(x, limit);
  const Floats shifted = x * rate + kMagic;
  const Floats f = x * rate - (shifted - kMagic);  // 2^n 2^f, |f| <= 1/2
  // Relative least squares at Chebyshev nodes, 1 at 0 held: 1.1e-7.
  Floats p = all(1.32187e-3f);
  p = p * f + 9.6717e-3f;
  p = p * f + 5.550893e-2f;
  p = p * f + 2.4022238e-1f;
  p = p * f + 6.9314686e-1f;
  p = p * f + 1.0f;
  Ints power, bits;
  std::memcpy(&power, &shifted, sizeof power);
  std::memcpy(&bits, &p, sizeof bits);
  bits += power << 23;  // kMagic's own bits leave at the top
  std::memcpy(&p, &bits, sizeof p);
  return p;
}

// u = 1 / (exp(2x) + 1), so that tanh(x) = 1 - 2u and 1 - tanh(x)^2 = 4u (1 - u).
inline Floats tanh_complement(Floats x) {
  return 1.0f / (exp_bounded(clamp(2.0f * x, 30.0f)) + 1.0f);  // saturated beyond
}

inline Floats tanh_of(Floats x) { return 1.0f - 2.0f * tanh_complement(x); }

inline Floats sigmoid(Floats x) { return 1.0f / (1.0f + exp_bounded(clamp(-x, 80.0f))); }

}  // namespace gban::GBAN_ISA
