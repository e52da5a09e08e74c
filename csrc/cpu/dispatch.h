// The kernels of the instruction set in use, for tables that each *_simd.cpp defines once an
// instruction set, in namespace gban::GBAN_ISA.
#pragma once

#include "gban/isa.h"

#if defined(GBAN_HAS_NEON)
#define GBAN_WITH_NEON(...) __VA_ARGS__
#else
#define GBAN_WITH_NEON(...)
#endif
#if defined(GBAN_HAS_AVX2)
#define GBAN_WITH_AVX2(...) __VA_ARGS__
#else
#define GBAN_WITH_AVX2(...)
#endif
#if defined(GBAN_HAS_AVX512)
#define GBAN_WITH_AVX512(...) __VA_ARGS__
#else
#define GBAN_WITH_AVX512(...)
#endif
#if defined(GBAN_HAS_AVX512VNNI)
#define GBAN_WITH_AVX512VNNI(...) __VA_ARGS__
#else
#define GBAN_WITH_AVX512VNNI(...)
#endif

// In namespace gban: declares the tables. `avx512vnni` is avx512 where there is none of its own.
#define GBAN_DECLARE_KERNELS(Type, name)                     \
  namespace portable {                                       \
  extern const Type name;                                    \
  }                                                          \
  GBAN_WITH_NEON(namespace neon { extern const Type name; }) \
  GBAN_WITH_AVX2(namespace avx2 { extern const Type name; }) \
  GBAN_WITH_AVX512(namespace avx512 { extern const Type name; })

// The body of a function that gives back the one of current_isa().
#define GBAN_CHOOSE_KERNELS(name, vnni)                             \
  switch (current_isa()) {                                          \
    GBAN_WITH_NEON(case Isa::neon : return neon::name;)             \
    GBAN_WITH_AVX2(case Isa::avx2 : return avx2::name;)             \
    GBAN_WITH_AVX512(case Isa::avx512 : return avx512::name;)       \
    GBAN_WITH_AVX512VNNI(case Isa::avx512vnni : return vnni::name;) \
    default:                                                        \
      return portable::name;                                        \
  }
