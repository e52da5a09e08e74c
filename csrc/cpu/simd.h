// Vectors of floats and doubles for the files that CMake compiles once an instruction set.
//
// GCC's and Clang's vector extension: one source, and the compiler's flags decide the instructions.
// Include it in such files only, after which everything they define stands in namespace
// gban::GBAN_ISA. They must not use templates or inline functions of the standard library: the
// linker would keep one copy for the whole program, perhaps the one with AVX-512 in it.
#pragma once

#include <cstdint>
#include <cstring>

#ifndef GBAN_ISA
#error "GBAN_ISA names the instruction set; CMakeLists.txt defines it"
#endif

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
// The first n lanes, all of them where n >= kFloats; the others zero.
inline Floats load_upto(const float* p, std::int64_t n) {
  if (n >= kFloats) return load(p);
  Floats v = {};
  std::memcpy(&v, p, static_cast<std::size_t>(n) * sizeof(float));
  return v;
}
inline void store_upto(float* p, Floats v, std::int64_t n) {
  std::memcpy(p, &v, static_cast<std::size_t>(n >= kFloats ? kFloats : n) * sizeof(float));
}
inline Floats all(float x) { return x - Floats{}; }
inline Doubles all(double x) { return x - Doubles{}; }

// Sums over the lanes, in one order whatever the data.
inline Four fold(Floats v) {
  Four part[kFloats / 4];
  std::memcpy(part, &v, sizeof v);
  for (int width = kFloats / 8; width > 0; width /= 2)
    for (int i = 0; i < width; ++i) part[i] += part[i + width];
  return part[0];
}
inline float sum(Floats v) {
  const Four f = fold(v);
  return (f[0] + f[2]) + (f[1] + f[3]);
}
// {sum(a), sum(b), sum(c), sum(d)}
inline Four sums(Floats a, Floats b, Floats c, Floats d) {
  const Four w = fold(a), x = fold(b), y = fold(c), z = fold(d);
  typedef std::int32_t Mask __attribute__((vector_size(16)));
#if defined(__clang__)
  (void)sizeof(Mask);
  const Four wx =
      __builtin_shufflevector(w, x, 0, 4, 1, 5) + __builtin_shufflevector(w, x, 2, 6, 3, 7);
  const Four yz =
      __builtin_shufflevector(y, z, 0, 4, 1, 5) + __builtin_shufflevector(y, z, 2, 6, 3, 7);
  return __builtin_shufflevector(wx, yz, 0, 1, 4, 5) + __builtin_shufflevector(wx, yz, 2, 3, 6, 7);
#else
  const Mask even = {0, 4, 1, 5}, odd = {2, 6, 3, 7}, low = {0, 1, 4, 5}, high = {2, 3, 6, 7};
  const Four wx = __builtin_shuffle(w, x, even) + __builtin_shuffle(w, x, odd);
  const Four yz = __builtin_shuffle(y, z, even) + __builtin_shuffle(y, z, odd);
  return __builtin_shuffle(wx, yz, low) + __builtin_shuffle(wx, yz, high);
#endif
}

}  // namespace gban::GBAN_ISA
