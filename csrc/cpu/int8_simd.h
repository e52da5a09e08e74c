// Products of int8 weights with inputs of 16 bits, exact in int32. Per instruction set: see simd.h.
//
// An input x is q = round(x / scale), so that the weights' rounding alone is felt. With VNNI, which
// multiplies unsigned by signed bytes four at a time, q + 32768 goes in as its two bytes:
//   sum w q = 256 sum w high + sum w low - 32768 sum w
// and otherwise as it is, pairs of products at a time. Weights of 16 bits go in as two bytes too,
// w = 256 u + v, and what is left out of their products, of low with low, is taken for its mean:
//   sum w q / 256 = 256 sum u high + sum (u low + v high) - 128 sum w + sum v 127.5 / 256
#pragma once

#include "matrix.h"
#include "simd.h"

namespace gban::GBAN_ISA {

#if defined(__AVX512VNNI__)
constexpr int kInt8Deep = 4;
constexpr int kInt8Rows = 3;  // two sums each, and four vectors of weights
#else
constexpr int kInt8Deep = 2;
constexpr int kInt8Rows = 6;
#endif

// Of the types that stand for a matrix' storage: float, Half, int16_t and int8_t.
template <typename W>
constexpr bool kIsInteger = false;
template <>
constexpr bool kIsInteger<std::int8_t> = true;
template <>
constexpr bool kIsInteger<std::int16_t> = true;

// Quantised rows, [padded depth] int16 of memory each, and the scale of each.
struct Quantised {
  const std::int16_t* data;
  const float* scales;
};

typedef std::uint32_t Words __attribute__((vector_size(kVectorBytes)));  // may overflow and return
typedef std::int16_t Shorts __attribute__((vector_size(kVectorBytes / 2)));
typedef std::uint8_t Bytes __attribute__((vector_size(kVectorBytes / 4)));

inline Floats as_floats(Ints x) { return __builtin_convertvector(x, Floats); }

// x * factor, rounded
inline Ints rounded(Floats x) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const Floats shifted = x + kMagic;
  Ints bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4B400000;
}

// q = x [depth] * factor, rounded, made `padded` long with zeros. Writes up to a vector further.
inline void quantise_row(const float* x, std::int64_t depth, std::int64_t padded, float factor,
                         std::int16_t* q) {
  for (std::int64_t k = 0; k < padded; k += kFloats) {
    const Ints number = rounded(load_upto(x + k, depth - k < 0 ? 0 : depth - k) * factor);
#if defined(__AVX512VNNI__)
    auto* const high = reinterpret_cast<std::uint8_t*>(q) + k;
    const Ints shifted = number + 32768;
    const Bytes top = __builtin_convertvector(shifted >> 8, Bytes);
    const Bytes low = __builtin_convertvector(shifted & 255, Bytes);
    const std::int64_t n = padded - k < kFloats ? padded - k : kFloats;
    std::memcpy(high, &top, static_cast<std::size_t>(n));
    std::memcpy(high + padded, &low, static_cast<std::size_t>(n));
#else
    const Shorts narrow = __builtin_convertvector(number, Shorts);
    std::memcpy(q + k, &narrow, sizeof narrow);
#endif
  }
}

#if defined(__AVX512VNNI__)

inline Words add_fours(Words sum, std::int32_t four, __m512i weights) {
  return reinterpret_cast<Words>(
      _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), _mm512_set1_epi32(four), weights));
}

inline std::int32_t four_at(const std::uint8_t* p) {
  std::int32_t four;
  std::memcpy(&four, p, sizeof four);
  return four;
}

// whole[r][g] = W_g . q_r of the panel that begins at vector `first`; Wide: a 256th of it
template <int R, int G, bool Wide>
GBAN_INLINE void multiply_quantised(const Matrix& m, std::int64_t first, const std::int16_t* q,
                                    std::int64_t stride, Ints (&whole)[R][G]) {
  constexpr int kBytes = Wide ? 128 : 64;  // of a vector of weights
  const std::int64_t depth = m.padded_depth();
  const auto* w = static_cast<const std::int8_t*>(m.data) + first * depth / 4 * kBytes;
  const auto* const x = reinterpret_cast<const std::uint8_t*>(q);
  Words high[R][G] = {}, low[R][G] = {};
  for (std::int64_t k = 0; k < depth; k += 4, w += G * kBytes)
    each<G>([&](auto g) GBAN_BODY {
      const __m512i weights = _mm512_loadu_si512(w + g * kBytes);
      each<R>([&](auto r) GBAN_BODY {
        const std::uint8_t* const row = x + 2 * r * stride + k;
        high[r][g] = add_fours(high[r][g], four_at(row), weights);
        low[r][g] = add_fours(low[r][g], four_at(row + depth), weights);
        if constexpr (Wide)
          low[r][g] = add_fours(low[r][g], four_at(row), _mm512_loadu_si512(w + g * kBytes + 64));
      });
    });
  each<G>([&](auto g) GBAN_BODY {
    Words offset;
    std::memcpy(&offset, m.offsets + (first + g) * kFloats, sizeof offset);
    each<R>([&](auto r) GBAN_BODY {
      whole[r][g] = reinterpret_cast<Ints>((high[r][g] << 8) + low[r][g] - offset);
    });
  });
}

#else

// sum[lane] += w[lane][0] pair[0] + w[lane][1] pair[1]
inline Ints add_pairs(Ints sum, const std::int8_t* w, const std::int16_t* pair) {
  std::int32_t both;
  std::memcpy(&both, pair, sizeof both);
#if defined(__AVX512F__)
  __m256i bytes;
  std::memcpy(&bytes, w, sizeof bytes);
  return sum + reinterpret_cast<Ints>((__v16si)_mm512_madd_epi16(_mm512_cvtepi8_epi16(bytes),
                                                                 _mm512_set1_epi32(both)));
#elif defined(__AVX2__)
  __m128i bytes;
  std::memcpy(&bytes, w, sizeof bytes);
  return sum + reinterpret_cast<Ints>(
                   (__v8si)_mm256_madd_epi16(_mm256_cvtepi8_epi16(bytes), _mm256_set1_epi32(both)));
#elif defined(__SSE2__)
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(w));
  const __m128i shorts = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
  return sum + reinterpret_cast<Ints>((__v4si)_mm_madd_epi16(shorts, _mm_set1_epi32(both)));
#elif defined(__aarch64__)
  const int16x8_t shorts = vmovl_s8(vld1_s8(w));
  const int16x8_t pairs = vreinterpretq_s16_s32(vdupq_n_s32(both));
  const int32x4_t low = vmull_s16(vget_low_s16(shorts), vget_low_s16(pairs));
  const int32x4_t products = vpaddq_s32(low, vmull_high_s16(shorts, pairs));
  return sum + reinterpret_cast<Ints>(products);
#else
  for (int i = 0; i < kFloats; ++i) sum[i] += w[2 * i] * pair[0] + w[2 * i + 1] * pair[1];
  return sum;
#endif
}

// whole[r][g] = W_g . q_r of the panel that begins at vector `first`
template <int R, int G, bool Wide>
GBAN_INLINE void multiply_quantised(const Matrix& m, std::int64_t first, const std::int16_t* q,
                                    std::int64_t stride, Ints (&whole)[R][G]) {
  const std::int64_t depth = m.padded_depth();
  const auto* const w = static_cast<const std::int8_t*>(m.data) + first * depth * kFloats;
  static_assert(!Wide || kInt8Deep == 4, "there are no weights of 16 bits here");
  Ints sums[R][G] = {};
  for (std::int64_t k = 0; k < depth; k += 2)
    each<G>([&](auto g) GBAN_BODY {
      each<R>([&](auto r) GBAN_BODY {
        sums[r][g] = add_pairs(sums[r][g], w + (k * G + g * 2) * kFloats, q + r * stride + k);
      });
    });
  each<R>([&](auto r) GBAN_BODY { each<G>([&](auto g) GBAN_BODY { whole[r][g] = sums[r][g]; }); });
}

#endif

}  // namespace gban::GBAN_ISA
