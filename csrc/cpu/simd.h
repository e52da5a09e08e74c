// Vectors of floats and doubles for the files that CMake compiles once an instruction set.
//
// GCC's and Clang's vector extension: one source, and the compiler's flags decide the instructions.
// Include it in such files only, after which everything they define stands in namespace
// gban::GBAN_ISA. They must not use templates or inline functions of the standard library: the
// linker would keep one copy for the whole program, perhaps the one with AVX-512 in it.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef GBAN_ISA
#error "GBAN_ISA names the instruction set; CMakeLists.txt defines it"
#endif

#define GBAN_INLINE inline __attribute__((always_inline))
#define GBAN_BODY __attribute__((always_inline))  // for a lambda

namespace gban::GBAN_ISA {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kRegisters = 32;
#else
constexpr int kRegisters = 16;
#endif

typedef float Floats __attribute__((vector_size(kVectorBytes)));
typedef double Doubles __attribute__((vector_size(kVectorBytes)));
typedef std::int32_t Ints __attribute__((vector_size(kVectorBytes)));
typedef float Four __attribute__((vector_size(16)));
constexpr int kFloats = kVectorBytes / 4;
constexpr int kDoubles = kVectorBytes / 8;

// {0, 1, 2, ...}
inline Ints lanes() {
  Ints lane;
  for (int i = 0; i < kFloats; ++i) lane[i] = i;
  return lane;
}

inline Floats load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline Doubles load(const double* p) {
  Doubles v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(float* p, Floats v) { std::memcpy(p, &v, sizeof v); }
inline void store(double* p, Doubles v) { std::memcpy(p, &v, sizeof v); }
// The first n lanes, all of them where n >= kFloats; the others zero, their memory not touched.
inline Floats load_upto(const float* p, std::int64_t n) {
  if (n >= kFloats) return load(p);
#if defined(__AVX512F__)
  const auto mask = static_cast<__mmask16>((1u << n) - 1u);
  return reinterpret_cast<Floats>(_mm512_maskz_loadu_ps(mask, p));
#elif defined(__AVX2__)
  return reinterpret_cast<Floats>(
      _mm256_maskload_ps(p, reinterpret_cast<__m256i>(lanes() < static_cast<std::int32_t>(n))));
#else
  Floats v = {};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
inline void store_upto(float* p, Floats v, std::int64_t n) {
  if (n >= kFloats) return store(p, v);
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1u), reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
  _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(lanes() < static_cast<std::int32_t>(n)),
                      reinterpret_cast<__m256>(v));
#else
  for (int i = 0; i < n; ++i) p[i] = v[i];
#endif
}
inline Floats all(float x) { return x - Floats{}; }
inline Doubles all(double x) { return x - Doubles{}; }

// Sums over the lanes, in one order whatever the data: first lanes that are four apart.
#if defined(__AVX512F__)
inline __m256 fold_half(__m512 v) {
  const __m256d high = _mm512_extractf64x4_pd(_mm512_castps_pd(v), 1);
  return _mm256_add_ps(_mm512_castps512_ps256(v), _mm256_castpd_ps(high));
}
#endif
#if defined(__AVX2__)
inline __m128 fold_half(__m256 v) {
  return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}
#endif
inline Four fold(Floats v) {
#if defined(__AVX512F__)
  return reinterpret_cast<Four>(fold_half(fold_half(reinterpret_cast<__m512>(v))));
#elif defined(__AVX2__)
  return reinterpret_cast<Four>(fold_half(reinterpret_cast<__m256>(v)));
#else
  return v;
#endif
}
inline float sum(Floats v) {
  const Four f = fold(v);
  return (f[0] + f[2]) + (f[1] + f[3]);
}

// In every group of four lanes: {a0 + a2, b0 + b2, a1 + a3, b1 + b3}, and {a0, a1, b0, b1} +
// {a2, a3, b2, b3}.
#if defined(__AVX512F__)
inline Floats add_interleaved(Floats a, Floats b) {
  return reinterpret_cast<Floats>(_mm512_unpacklo_ps((__m512)a, (__m512)b)) +
         reinterpret_cast<Floats>(_mm512_unpackhi_ps((__m512)a, (__m512)b));
}
inline Floats add_halves(Floats a, Floats b) {
  return reinterpret_cast<Floats>(_mm512_unpacklo_pd((__m512d)a, (__m512d)b)) +
         reinterpret_cast<Floats>(_mm512_unpackhi_pd((__m512d)a, (__m512d)b));
}
#elif defined(__AVX2__)
inline Floats add_interleaved(Floats a, Floats b) {
  return reinterpret_cast<Floats>(_mm256_unpacklo_ps((__m256)a, (__m256)b)) +
         reinterpret_cast<Floats>(_mm256_unpackhi_ps((__m256)a, (__m256)b));
}
inline Floats add_halves(Floats a, Floats b) {
  return reinterpret_cast<Floats>(_mm256_unpacklo_pd((__m256d)a, (__m256d)b)) +
         reinterpret_cast<Floats>(_mm256_unpackhi_pd((__m256d)a, (__m256d)b));
}
#else
inline Floats add_interleaved(Floats a, Floats b) {
  return Floats{a[0], b[0], a[1], b[1]} + Floats{a[2], b[2], a[3], b[3]};
}
inline Floats add_halves(Floats a, Floats b) {
  return Floats{a[0], a[1], b[0], b[1]} + Floats{a[2], a[3], b[2], b[3]};
}
#endif
// {sum(a), sum(b), sum(c), sum(d)}
inline Four sums(Floats a, Floats b, Floats c, Floats d) {
  return fold(add_halves(add_interleaved(a, b), add_interleaved(c, d)));
}

// A number that is known to the compiler from the beginning.
template <int I>
struct Index {
  constexpr operator int() const { return I; }
};

// body(Index<0>), ... body(Index<N - 1>), written out. A loop over an array of registers would be
// unrolled too late for GCC 12, which then keeps the array in memory before and after other loops.
template <int N, int I = 0, typename Body>
GBAN_INLINE void each(const Body& body) {
  if constexpr (I < N) {
    body(Index<I>{});
    each<N, I + 1>(body);
  }
}
}  // namespace gban::GBAN_ISA
