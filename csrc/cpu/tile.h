// The two matrix products of the alignment, blocked for registers. Per instruction set: see simd.h.
#pragma once

#include "simd.h"

namespace gban::GBAN_ISA {

// Rows of the left operand in one register block: kRows x 4 sums and what feeds them. ARM's
// instructions take no operand from memory: six rows would be 24 sums, and GCC and Clang spill.
#if defined(__aarch64__)
constexpr int kRows = 5;
#else
constexpr int kRows = kRegisters == 32 ? 6 : 3;
#endif

// out[m * out_stride + n] = x_m . y_n for m < M, n < 4, over D numbers.
template <int M>
inline void dots(const float* x, std::int64_t x_stride, const float* const y[4], std::int64_t D,
                 float* out, std::int64_t out_stride) {
  Floats part[M][4] = {};
  std::int64_t d = 0;
  for (; d + kFloats <= D; d += kFloats) {
    Floats rows[M];
    for (int m = 0; m < M; ++m) rows[m] = load(x + m * x_stride + d);
    for (int n = 0; n < 4; ++n) {
      const Floats column = load(y[n] + d);
      for (int m = 0; m < M; ++m) part[m][n] += rows[m] * column;
    }
  }
  if (d < D)
    for (int n = 0; n < 4; ++n) {
      const Floats column = load_upto(y[n] + d, D - d);
      for (int m = 0; m < M; ++m) part[m][n] += load_upto(x + m * x_stride + d, D - d) * column;
    }
  for (int m = 0; m < M; ++m) {
    const Four row = sums(part[m][0], part[m][1], part[m][2], part[m][3]);
    std::memcpy(out + m * out_stride, &row, sizeof row);
  }
}

// Asks for bytes [from, to) of the kRows rows after x, which the next call will read.
inline void prefetch_rows(const float* x, std::int64_t x_stride, std::int64_t from,
                          std::int64_t to) {
  for (int m = 0; m < kRows; ++m)
    for (std::int64_t at = from; at < to; at += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(x + (kRows + m) * x_stride) + at);
}

// out [rows, >= L rounded up to 4] = X Y^t for rows <= kRows; what stands beyond L is not defined.
// `ahead`: the next rows of X are far from the processor, and asked for meanwhile.
template <int M = kRows>
inline void products(int rows, const float* x, std::int64_t x_stride, const float* y,
                     std::int64_t y_stride, std::int64_t L, std::int64_t D, float* out,
                     std::int64_t out_stride, bool ahead) {
  if constexpr (M > 1) {
    if (rows < M)
      return products<M - 1>(rows, x, x_stride, y, y_stride, L, D, out, out_stride, ahead);
  }
  const std::int64_t share = ahead ? (4 * D / ((L + 3) / 4) + 63) / 64 * 64 : 0;
  for (std::int64_t j = 0; j < L; j += 4) {
    const float* four[4];
    for (int n = 0; n < 4; ++n)  // the last row again rather than one beyond the end
      four[n] = y + (j + n < L ? j + n : L - 1) * y_stride;
    if (ahead) prefetch_rows(x, x_stride, j / 4 * share, (j / 4 + 1) * share);
    dots<M>(x, x_stride, four, D, out + j, out_stride);
  }
}

// A matrix seen through two strides, in elements.
struct Weights {
  const float* data;
  std::int64_t row_stride, column_stride;
};

// out[m][d ...] = u[m] v[d ...] + sum_i a(m, i) y_i[d ...] for m < M, over n numbers: V
// vectors, or with V = 1 what there is of one.
template <int M, int V>
inline void combine(Weights a, std::int64_t I, const float* y, std::int64_t y_stride,
                    const float* u, const float* v, float* out, std::int64_t out_stride,
                    std::int64_t n) {
  if constexpr (V > 1) n = V * kFloats;  // known to the compiler, so that no load asks for it
  Floats part[M][V];
  for (int c = 0; c < V; ++c) {
    const Floats base = load_upto(v + c * kFloats, n - c * kFloats);
    for (int m = 0; m < M; ++m) part[m][c] = u[m] * base;
  }
  for (std::int64_t i = 0; i < I; ++i) {
    const float* weights = a.data + i * a.column_stride;
    for (int c = 0; c < V; ++c) {
      const Floats row = load_upto(y + i * y_stride + c * kFloats, n - c * kFloats);
      for (int m = 0; m < M; ++m) part[m][c] += weights[m * a.row_stride] * row;
    }
  }
  for (int m = 0; m < M; ++m)
    for (int c = 0; c < V; ++c)
      store_upto(out + m * out_stride + c * kFloats, part[m][c], n - c * kFloats);
}

// The same for rows <= kRows.
template <int V, int M = kRows>
inline void combine_rows(int rows, Weights a, std::int64_t I, const float* y, std::int64_t y_stride,
                         const float* u, const float* v, float* out, std::int64_t out_stride,
                         std::int64_t n) {
  if constexpr (M > 1) {
    if (rows < M) return combine_rows<V, M - 1>(rows, a, I, y, y_stride, u, v, out, out_stride, n);
  }
  combine<M, V>(a, I, y, y_stride, u, v, out, out_stride, n);
}

// out [N, D] = a [N, I] y [I, D] + u [N] v [D]^t; a stripe of columns at a time, so that what is
// read of y again and again stays in cache.
inline void product_and_outer(Weights a, std::int64_t N, std::int64_t I, const float* y,
                              std::int64_t y_stride, const float* u, const float* v, std::int64_t D,
                              float* out) {
  constexpr int V = 4;
  std::int64_t d = 0;
  while (d < D) {
    const bool wide = d + V * kFloats <= D;
    const std::int64_t width = wide ? V * kFloats : (D - d < kFloats ? D - d : kFloats);
    for (std::int64_t m = 0; m < N; m += kRows) {
      const int rows = N - m < kRows ? static_cast<int>(N - m) : kRows;
      const Weights at = {a.data + m * a.row_stride, a.row_stride, a.column_stride};
      if (wide)
        combine_rows<V>(rows, at, I, y + d, y_stride, u + m, v + d, out + m * D + d, D,
                        V * kFloats);
      else
        combine_rows<1>(rows, at, I, y + d, y_stride, u + m, v + d, out + m * D + d, D, width);
    }
    d += width;
  }
}

// out [D] += sum over n < R of weights[n] x_n
template <int R>
inline void add_rows(const float* weights, const float* x, std::int64_t x_stride, std::int64_t D,
                     float* out) {
  std::int64_t d = 0;
  for (; d + kFloats <= D; d += kFloats) {
    Floats total = load(out + d);
    for (int n = 0; n < R; ++n) total += weights[n] * load(x + n * x_stride + d);
    store(out + d, total);
  }
  if (d == D) return;
  Floats total = load_upto(out + d, D - d);
  for (int n = 0; n < R; ++n) total += weights[n] * load_upto(x + n * x_stride + d, D - d);
  store_upto(out + d, total, D - d);
}

// out [D] = sum over n of weights[n] x_n; four rows at a time. From the end, since what was read
// last is still in cache.
inline void weighted_sum(const float* weights, const float* x, std::int64_t x_stride,
                         std::int64_t N, std::int64_t D, float* out) {
  std::memset(out, 0, static_cast<std::size_t>(D) * sizeof(float));
  std::int64_t n = N;
  for (; n >= 4; n -= 4) add_rows<4>(weights + n - 4, x + (n - 4) * x_stride, x_stride, D, out);
  for (; n > 0; --n) add_rows<1>(weights + n - 1, x + (n - 1) * x_stride, x_stride, D, out);
}

}  // namespace gban::GBAN_ISA
