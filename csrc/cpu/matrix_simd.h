// Products with packed matrices, blocked for registers. Per instruction set: see simd.h.
#pragma once

#include "gban/numeric.h"
#include "matrix.h"
#include "simd.h"

namespace gban::GBAN_ISA {

// Rows of x in one register block with G vectors of W: R x G sums, G weights, and room to spare.
template <int G>
constexpr int kTileRows = kRegisters == 32 ? (G == 4   ? 6
                                              : G == 3 ? 8
                                              : G == 2 ? 12
                                                       : 24)
                                           : (G == 4   ? 3
                                              : G == 3 ? 4
                                              : G == 2 ? 6
                                                       : 12);

inline Floats weights_at(const float* p) { return load(p); }
inline Floats weights_at(const Half* p) {
#if defined(__AVX512F__)
  __m256i bits;
  std::memcpy(&bits, p, sizeof bits);
  return reinterpret_cast<Floats>(_mm512_cvtph_ps(bits));
#elif defined(__AVX2__)
  __m128i bits;
  std::memcpy(&bits, p, sizeof bits);
  return reinterpret_cast<Floats>(_mm256_cvtph_ps(bits));
#elif defined(__aarch64__)
  typedef __fp16 FourHalves __attribute__((vector_size(8)));
  FourHalves bits;
  std::memcpy(&bits, p, sizeof bits);
  return __builtin_convertvector(bits, Floats);
#else
  // As an integer a half is a float's, 13 bits lower and with 2^112 to multiply; subnormals too.
#if defined(__SSE2__)
  const __m128i bits = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  const Ints wide = reinterpret_cast<Ints>((__v4si)_mm_unpacklo_epi16(bits, _mm_setzero_si128()));
#else
  typedef std::uint16_t Bits16 __attribute__((vector_size(2 * kFloats)));
  Bits16 bits;
  std::memcpy(&bits, p, sizeof bits);
  const Ints wide = __builtin_convertvector(bits, Ints);
#endif
  const Floats size = reinterpret_cast<Floats>((wide & 0x7FFF) << 13) * 0x1p112f;
  return reinterpret_cast<Floats>(reinterpret_cast<Ints>(size) | (wide & 0x8000) << 16);
#endif
}

// sums[r][g] += x_r . W_g over `depth` numbers; w is a panel. One row alone has its sums twice,
// for the processor to have enough additions under way.
template <int R, int G, typename W>
inline void accumulate(const float* x, std::int64_t stride, const W* w, std::int64_t depth,
                       Floats (&sums)[R][G]) {
  std::int64_t k = 0;
  if constexpr (R == 1) {
    Floats odd[G] = {};
    for (; k + 2 <= depth; k += 2)
      for (int g = 0; g < G; ++g) {
        sums[0][g] += x[k] * weights_at(w + (k * G + g) * kFloats);
        odd[g] += x[k + 1] * weights_at(w + ((k + 1) * G + g) * kFloats);
      }
    for (int g = 0; g < G; ++g) sums[0][g] += odd[g];
  }
  for (; k < depth; ++k) {
    if constexpr (kRegisters == 32 || G > 2 || R == 1) {
      for (int g = 0; g < G; ++g) {
        const Floats weights = weights_at(w + (k * G + g) * kFloats);
        for (int r = 0; r < R; ++r) sums[r][g] += x[r * stride + k] * weights;
      }
    } else {  // with few registers, and no number of memory that is a vector's operand at once
      Floats weights[G];
      for (int g = 0; g < G; ++g) weights[g] = weights_at(w + (k * G + g) * kFloats);
      for (int r = 0; r < R; ++r) {
        const Floats value = all(x[r * stride + k]);
        for (int g = 0; g < G; ++g) sums[r][g] += value * weights[g];
      }
    }
  }
}

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
  const int32x4_t both_products = vpaddq_s32(low, vmull_high_s16(shorts, pairs));
  return sum + reinterpret_cast<Ints>(both_products);
#else
  for (int i = 0; i < kFloats; ++i) sum[i] += w[2 * i] * pair[0] + w[2 * i + 1] * pair[1];
  return sum;
#endif
}

// The same of quantised rows; depth is even, rows `stride` numbers apart.
template <int R, int G>
inline void accumulate(const std::int16_t* x, std::int64_t stride, const std::int8_t* w,
                       std::int64_t depth, Ints (&sums)[R][G]) {
  for (std::int64_t k = 0; k < depth; k += 2)
    for (int g = 0; g < G; ++g)
      for (int r = 0; r < R; ++r)
        sums[r][g] = add_pairs(sums[r][g], w + (k * G + g * 2) * kFloats, x + r * stride + k);
}

inline Floats as_floats(Ints x) { return __builtin_convertvector(x, Floats); }

inline Floats bias_at(const Matrix& m, std::int64_t vector) {
  return m.bias ? load(m.bias + vector * kFloats) : Floats{};
}

// Rows of x with one panel that begins at vector `first`: sums[r][g] = W x + bias.
template <int R, int G, typename W>
inline void panel_rows(const Matrix& m, std::int64_t first, const float* x, std::int64_t stride,
                       Floats (&sums)[R][G], W) {
  for (int g = 0; g < G; ++g) {
    const Floats bias = bias_at(m, first + g);
    for (int r = 0; r < R; ++r) sums[r][g] = bias;
  }
  const W* const w = static_cast<const W*>(m.data) + first * m.depth * kFloats;
  accumulate<R, G>(x, stride, w, m.depth, sums);
}

// Quantised rows, and the scale of each.
struct Quantised {
  const std::int16_t* data;
  const float* scales;
};

template <int R, int G>
inline void panel_rows(const Matrix& m, std::int64_t first, const Quantised& x, std::int64_t stride,
                       Floats (&sums)[R][G], std::int8_t) {
  Ints whole[R][G] = {};
  const auto* const w =
      static_cast<const std::int8_t*>(m.data) + first * m.padded_depth() * kFloats;
  accumulate<R, G>(x.data, stride, w, m.padded_depth(), whole);
  for (int g = 0; g < G; ++g) {
    const Floats scale = load(m.scales + (first + g) * kFloats), bias = bias_at(m, first + g);
    for (int r = 0; r < R; ++r) sums[r][g] = as_floats(whole[r][g]) * (scale * x.scales[r]) + bias;
  }
}

inline const float* row_at(const float* x, std::int64_t m, std::int64_t stride) {
  return x + m * stride;
}
inline Quantised row_at(const Quantised& x, std::int64_t m, std::int64_t stride) {
  return {x.data + m * stride, x.scales + m};
}

template <int R, int G, typename W, typename X>
inline void product_tile(const Matrix& m, std::int64_t first, const X& x, std::int64_t x_stride,
                         float* y, std::int64_t y_stride, W tag) {
  Floats sums[R][G];
  panel_rows<R, G>(m, first, x, x_stride, sums, tag);
  for (int r = 0; r < R; ++r)
    for (int g = 0; g < G; ++g) store(y + r * y_stride + (first + g) * kFloats, sums[r][g]);
}

// Tiles of R rows; the last one begins early enough to be whole, and computes rows again rather
// than fewer at a time. `rows` is at least R.
template <int R, int G, typename W, typename X>
inline void product_tiles(const Matrix& m, std::int64_t first, const X& x, std::int64_t x_stride,
                          std::int64_t rows, float* y, std::int64_t y_stride, W tag) {
  for (std::int64_t r = 0; r < rows; r += R) {
    const std::int64_t at = r + R <= rows ? r : rows - R;
    product_tile<R, G>(m, first, row_at(x, at, x_stride), x_stride, y + at * y_stride, y_stride,
                       tag);
  }
}

template <int G, typename W, typename X>
inline void product_panel(const Matrix& m, std::int64_t first, const X& x, std::int64_t x_stride,
                          std::int64_t rows, float* y, std::int64_t y_stride, W tag) {
  constexpr int R = kTileRows<G>;
  if (rows >= R)
    product_tiles<R, G>(m, first, x, x_stride, rows, y, y_stride, tag);
  else if (R > 3 && rows >= 3)
    product_tiles<3, G>(m, first, x, x_stride, rows, y, y_stride, tag);
  else
    product_tiles<1, G>(m, first, x, x_stride, rows, y, y_stride, tag);
}

// y[rows, padded_rows()] = x[rows, depth] W^t + bias
template <typename W, typename X>
inline void product_all(const Matrix& m, const X& x, std::int64_t x_stride, std::int64_t rows,
                        float* y, std::int64_t y_stride, W tag) {
  const std::int64_t vectors = m.vectors();
  for (std::int64_t first = 0; first < vectors; first += m.group) {
    const std::int64_t left = vectors - first;
    switch (left < m.group ? left : m.group) {
      case 4:
        product_panel<4>(m, first, x, x_stride, rows, y, y_stride, tag);
        break;
      case 3:
        product_panel<3>(m, first, x, x_stride, rows, y, y_stride, tag);
        break;
      case 2:
        product_panel<2>(m, first, x, x_stride, rows, y, y_stride, tag);
        break;
      default:
        product_panel<1>(m, first, x, x_stride, rows, y, y_stride, tag);
    }
  }
}

}  // namespace gban::GBAN_ISA
