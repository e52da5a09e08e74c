// The natural logarithm of a vector of doubles.
#pragma once

#include <cfloat>

#include "simd.h"

namespace gban::GBAN_ISA {

typedef std::uint64_t Bits __attribute__((vector_size(kVectorBytes)));

// ln x to about 1e-16 of its size or of 1, for positive normal x; infinity and NaN stay what they
// are. With x = 2^e m and m in [sqrt(1/2), sqrt(2)): ln x = e ln 2 + 2 artanh((m - 1) / (m + 1)).
inline Doubles ln(Doubles x) {
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;  // the bits of sqrt(1/2)
  constexpr std::uint64_t kMantissa = 0x000fffffffffffff;
  constexpr std::uint64_t kTwo52 = 0x4330000000000000;  // 2^52: a small integer in its low bits
  const Bits above = reinterpret_cast<Bits>(x) - kSqrtHalf + (std::uint64_t{1023} << 52);
  // There is no conversion of 64-bit integers before AVX-512, hence the detour by 2^52.
  const Doubles e =
      reinterpret_cast<Doubles>((above >> 52) | kTwo52) - (4503599627370496.0 + 1023.0);
  const Doubles m = reinterpret_cast<Doubles>((above & kMantissa) + kSqrtHalf);
  const Doubles s = (m - 1.0) / (m + 1.0), q = s * s;  // q < 0.0295, and its 11th power < 1e-16
  // Every second term on its own, as two chains that do not wait for each other.
  const Doubles r = q * q;
  const Doubles odd = (((r * (1.0 / 19) + 1.0 / 15) * r + 1.0 / 11) * r + 1.0 / 7) * r + 1.0 / 3;
  const Doubles even = (((r * (1.0 / 21) + 1.0 / 17) * r + 1.0 / 13) * r + 1.0 / 9) * r + 1.0 / 5;
  const Doubles tail = s * q * (odd + q * even);
  const Doubles result = e * 0.69314718055994530942 + 2.0 * (s + tail);
  return x <= DBL_MAX ? result : x;
}

}  // namespace gban::GBAN_ISA
