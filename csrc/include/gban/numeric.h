// The 16-bit storage types and their exact conversions, the same on host and device.
//
// Kernels and CPU forms store Half and BFloat16 and compute in float. Every conversion rounds to
// nearest, ties to even, and keeps infinities, signed zeros and subnormals. A NaN stays one; to and
// from Half, and to BFloat16, it becomes that with all bits below the sign set and no sign. The
// host forms are portable integer code and agree in every bit with those of cuda_fp16.h and
// cuda_bf16.h.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define GBAN_HD __host__ __device__
#else
#define GBAN_HD
#endif

namespace gban {

// IEEE binary16: 1 sign, 5 exponent and 10 fraction bits.
struct Half {
  std::uint16_t bits;
};

// The upper half of an IEEE binary32: 1 sign, 8 exponent and 7 fraction bits.
struct BFloat16 {
  std::uint16_t bits;
};

GBAN_HD inline std::uint32_t float_bits(float x) {
  std::uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

GBAN_HD inline float bits_float(std::uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

namespace detail {

// The portable forms. The public functions below call them wherever there is no instruction.
constexpr std::uint32_t kSign = 0x80000000u, kInfinity = 0x7F800000u;
constexpr std::uint32_t kNan = 0x7FFFFFFFu;  // what the GPU's conversions give for every NaN
constexpr std::uint16_t kNan16 = 0x7FFFu;

GBAN_HD inline float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16, magnitude = half & 0x7FFFu;
  if (magnitude > 0x7C00u) return bits_float(kNan);
  if (magnitude == 0x7C00u) return bits_float(sign | kInfinity);
  if (magnitude >= 0x0400u) return bits_float(sign | ((magnitude << 13) + (112u << 23)));
  const float value = static_cast<float>(magnitude) * 0x1p-24f;  // zero and subnormals: exact
  return bits_float(sign | float_bits(value));
}

GBAN_HD inline std::uint16_t float_to_half(float x) {
  const std::uint32_t bits = float_bits(x), magnitude = bits & ~kSign;
  const std::uint32_t sign = (bits & kSign) >> 16;
  if (magnitude > kInfinity) return kNan16;
  if (magnitude >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);  // 65520 and up
  std::uint32_t whole = magnitude - (112u << 23), drop = 13;
  if (magnitude < 0x38800000u) {  // below 2^-14 the result is subnormal: shift out more bits
    const std::uint32_t shift = 126u - (magnitude >> 23);
    if (shift > 24u) return static_cast<std::uint16_t>(sign);
    whole = (magnitude & 0x7FFFFFu) | 0x800000u;
    drop = shift;
  }
  const std::uint32_t half_unit = 1u << (drop - 1), odd = (whole >> drop) & 1u;
  return static_cast<std::uint16_t>(sign | ((whole + half_unit - 1u + odd) >> drop));
}

GBAN_HD inline std::uint16_t float_to_bfloat16(float x) {
  const std::uint32_t bits = float_bits(x);
  if ((bits & ~kSign) > kInfinity) return kNan16;
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

GBAN_HD inline float round_tf32(float x) {
  const std::uint32_t bits = float_bits(x), magnitude = bits & ~kSign;
  if (magnitude > kInfinity) return bits_float(kNan);
  return bits_float((bits + 0x1000u) & ~0x1FFFu);
}

}  // namespace detail

GBAN_HD inline float to_float(float x) { return x; }

GBAN_HD inline float to_float(Half x) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(x.bits));
#else
  return detail::half_to_float(x.bits);
#endif
}

GBAN_HD inline float to_float(BFloat16 x) {
  return bits_float(static_cast<std::uint32_t>(x.bits) << 16);
}

GBAN_HD inline Half to_half(float x) {
#if defined(__CUDA_ARCH__)
  return Half{__half_as_ushort(__float2half_rn(x))};
#else
  return Half{detail::float_to_half(x)};
#endif
}

GBAN_HD inline BFloat16 to_bfloat16(float x) {
#if defined(__CUDA_ARCH__)
  return BFloat16{__bfloat16_as_ushort(__float2bfloat16_rn(x))};
#else
  return BFloat16{detail::float_to_bfloat16(x)};
#endif
}

// The float nearest to x among those with 10 fraction bits, ties away from zero: cvt.rna.tf32.f32.
GBAN_HD inline float round_tf32(float x) {
#if defined(__CUDA_ARCH__)
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits_float(bits);
#else
  return detail::round_tf32(x);
#endif
}

// from_float<T>(x), for code that is written once for the three storage types.
template <typename T>
GBAN_HD inline T from_float(float x);
template <>
GBAN_HD inline float from_float<float>(float x) {
  return x;
}
template <>
GBAN_HD inline Half from_float<Half>(float x) {
  return to_half(x);
}
template <>
GBAN_HD inline BFloat16 from_float<BFloat16>(float x) {
  return to_bfloat16(x);
}

// Two values in one register, the first in the low half: what an mma fragment holds.
template <typename T>
GBAN_HD inline std::uint32_t pack2(T low, T high) {
  static_assert(sizeof(T) == 2, "pack2 packs 16-bit values");
  return low.bits | static_cast<std::uint32_t>(high.bits) << 16;
}

}  // namespace gban
