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

typedef float Floats __attribute__((vector_size(kVectorBytes)));
typedef double Doubles __attribute__((vector_size(kVectorBytes)));
typedef std::int32_t Ints __attribute__((vector_size(kVectorBytes)));
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
inline Floats all(float x) { return x - Floats{}; }
inline Doubles all(double x) { return x - Doubles{}; }

}  // namespace gban::GBAN_ISA
