// Products with packed matrices, blocked for registers. Per instruction set: see simd.h.
#pragma once

#include "gban/numeric.h"
#include "int8_simd.h"
#include "matrix.h"
#include "simd.h"

namespace gban::GBAN_ISA {

// Rows of x in one register block with G vectors of W: R x G sums and what feeds them. More rows
// than eight would need more addresses than there are integer registers.
template <int G>
constexpr int kTileRows = kRegisters == 32 ? (G == 4 ? 6 : 8)
                                           : (G == 4   ? 3
                                              : G == 3 ? 4
                                              : G == 2 ? 6
                                                       : 8);

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

// sums[g] += x . W_g, read from front to back or, step -1, from back to front. The sums are kept
// twice, for the processor to have enough additions under way.
template <int G, typename W>
GBAN_INLINE void accumulate_one(const float* x, const W* w, std::int64_t depth, std::int64_t step,
                                Floats (&sums)[G]) {
  Floats odd[G] = {};
  std::int64_t k = step > 0 ? 0 : depth - 1;
  if (depth % 2) {
    each<G>([&](auto g) GBAN_BODY { sums[g] += x[k] * weights_at(w + (k * G + g) * kFloats); });
    k += step;
  }
  for (std::int64_t pairs = depth / 2; pairs > 0; --pairs, k += 2 * step) {
    const W* const next = w + (k + step) * G * kFloats;
    each<G>([&](auto g) GBAN_BODY {
      sums[g] += x[k] * weights_at(w + (k * G + g) * kFloats);
      odd[g] += x[k + step] * weights_at(next + g * kFloats);
    });
  }
  each<G>([&](auto g) GBAN_BODY { sums[g] += odd[g]; });
}

// sums[r][g] += x_r . W_g over `depth` numbers; w is a panel.
template <int R, int G, typename W>
GBAN_INLINE void accumulate(const float* x, std::int64_t stride, const W* w, std::int64_t depth,
                            Floats (&sums)[R][G]) {
  if constexpr (R == 1) return accumulate_one<G>(x, w, depth, 1, sums[0]);
  for (std::int64_t k = 0; k < depth; ++k, w += G * kFloats) {
    if constexpr (kRegisters == 32 || G > 2) {
      each<G>([&](auto g) GBAN_BODY {
        const Floats weights = weights_at(w + g * kFloats);
        each<R>([&](auto r) GBAN_BODY { sums[r][g] += x[r * stride + k] * weights; });
      });
    } else {  // with few registers, and no number of memory that is a vector's operand at once
      Floats weights[G];
      each<G>([&](auto g) GBAN_BODY { weights[g] = weights_at(w + g * kFloats); });
      each<R>([&](auto r) GBAN_BODY {
        const Floats value = all(x[r * stride + k]);
        each<G>([&](auto g) GBAN_BODY { sums[r][g] += value * weights[g]; });
      });
    }
  }
}

inline Floats bias_at(const Matrix& m, std::int64_t vector) {
  return m.bias ? load(m.bias + vector * kFloats) : Floats{};
}

// Rows of x with one panel that begins at vector `first`: sums[r][g] = W x + bias.
template <int R, int G, typename W>
GBAN_INLINE void panel_rows(const Matrix& m, std::int64_t first, const float* x,
                            std::int64_t stride, Floats (&sums)[R][G], W) {
  each<G>([&](auto g) GBAN_BODY {
    const Floats bias = bias_at(m, first + g);
    each<R>([&](auto r) GBAN_BODY { sums[r][g] = bias; });
  });
  const W* const w = static_cast<const W*>(m.data) + first * m.depth * kFloats;
  accumulate<R, G>(x, stride, w, m.depth, sums);
}

template <int R, int G, typename W>
GBAN_INLINE void panel_rows(const Matrix& m, std::int64_t first, const Quantised& x,
                            std::int64_t stride, Floats (&sums)[R][G], W) {
  Ints whole[R][G];
  multiply_quantised<R, G, sizeof(W) == 2>(m, first, x.data, stride, whole);
  each<G>([&](auto g) GBAN_BODY {
    const Floats scale = load(m.scales + (first + g) * kFloats), bias = bias_at(m, first + g);
    each<R>([&](auto r)
                GBAN_BODY { sums[r][g] = as_floats(whole[r][g]) * (scale * x.scales[r]) + bias; });
  });
}

inline const float* row_at(const float* x, std::int64_t m, std::int64_t stride) {
  return x + m * stride;
}
inline Quantised row_at(const Quantised& x, std::int64_t m, std::int64_t stride) {
  return {x.data + m * stride, x.scales + m};
}

template <int R, int G, typename W, typename X>
__attribute__((noinline)) void product_tile(const Matrix& m, std::int64_t first, const X& x,
                                            std::int64_t x_stride, float* y, std::int64_t y_stride,
                                            W tag) {
  Floats sums[R][G];
  panel_rows<R, G>(m, first, x, x_stride, sums, tag);
  each<R>([&](auto r) GBAN_BODY {
    each<G>([&](auto g) GBAN_BODY { store(y + r * y_stride + (first + g) * kFloats, sums[r][g]); });
  });
}

// The same for rows <= R.
template <int G, int R, typename W, typename X>
inline void product_upto(std::int64_t rows, const Matrix& m, std::int64_t first, const X& x,
                         std::int64_t x_stride, float* y, std::int64_t y_stride, W tag) {
  if constexpr (R > 1) {
    if (rows < R) return product_upto<G, R - 1>(rows, m, first, x, x_stride, y, y_stride, tag);
  }
  product_tile<R, G>(m, first, x, x_stride, y, y_stride, tag);
}

// As few tiles as there can be, of as equal heights as there can be.
template <int G, typename W, typename X>
inline void product_panel(const Matrix& m, std::int64_t first, const X& x, std::int64_t x_stride,
                          std::int64_t rows, float* y, std::int64_t y_stride, W tag) {
  constexpr int kMost = kIsInteger<W> ? kInt8Rows : 8;
  constexpr int R = kTileRows<G> < kMost ? kTileRows<G> : kMost;
  for (std::int64_t tiles = (rows + R - 1) / R, at = 0; tiles > 0; --tiles) {
    const std::int64_t height = (rows - at + tiles - 1) / tiles;
    product_upto<G, R>(height, m, first, row_at(x, at, x_stride), x_stride, y + at * y_stride,
                       y_stride, tag);
    at += height;
  }
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
