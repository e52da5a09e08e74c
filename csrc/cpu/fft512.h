// The power spectrum of 512 real samples, one frame a vector lane: no lane sees another.
//
// Even samples are the real and odd ones the imaginary part of 256 complex numbers z, whose
// transform Z is made as 16 x 16 (Cooley and Tukey) and then taken apart:
//
//     X[k] = E + W O,  X[256 - k] = conj(E - W O),  W = exp(-2 pi i k / 512)
//     E = Z[k] + conj Z[256 - k],  O = -i (Z[k] - conj Z[256 - k])
//
// where the two halves that belong to E and O stand in the window. Doubles throughout: in float32
// the rounding of a loud tone would drown the quiet bands beside it.
#pragma once

#include "frontend_plan.h"
#include "simd.h"

namespace gban::GBAN_ISA {

#define GBAN_INLINE inline __attribute__((always_inline))

struct Complex {
  Doubles re, im;
};

// A row longer than 16: rows a power of two apart would share a few lines of the cache.
constexpr int kRow = 17;

GBAN_INLINE Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
GBAN_INLINE Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
GBAN_INLINE Complex minus_i(Complex a) { return {a.im, -a.re}; }  // -i a

// a exp(-i angle)
GBAN_INLINE Complex turn(Complex a, double cos, double sin) {
  return {a.re * all(cos) + a.im * all(sin), a.im * all(cos) - a.re * all(sin)};
}
GBAN_INLINE Complex turn(Complex a, const Rotation& r) { return turn(a, r.cos, r.sin); }

// The transform of four, in place.
GBAN_INLINE void dft4(Complex& a, Complex& b, Complex& c, Complex& d) {
  const Complex even = a + c, odd = b + d, plus = a - c, rest = b - d;
  a = even + odd;
  b = {plus.re + rest.im, plus.im - rest.re};
  c = even - odd;
  d = {plus.re - rest.im, plus.im + rest.re};
}

// The same where d is zero on the way in.
GBAN_INLINE void dft4_of_3(Complex& a, Complex& b, Complex& c, Complex& d) {
  const Complex even = a + c, plus = a - c, odd = b;
  a = even + odd;
  b = {plus.re + odd.im, plus.im - odd.re};
  c = even - odd;
  d = {plus.re - odd.im, plus.im + odd.re};
}

constexpr double kCos1 = 0.92387953251128675613, kSin1 = 0.38268343236508977173;  // of pi / 8
constexpr double kCos2 = 0.70710678118654752440;                                  // of pi / 4

// Where the transform of 16 below leaves its output k.
constexpr int place(int k) { return k % 4 * 4 + k / 4; }

// What is left of a transform of 16 after the four dft4 of x[n], x[n + 4], x[n + 8], x[n + 12].
GBAN_INLINE void finish_dft16(Complex (&x)[16]) {
  x[5] = turn(x[5], kCos1, kSin1);
  x[6] = turn(x[6], kCos2, kCos2);
  x[7] = turn(x[7], kSin1, kCos1);
  x[9] = turn(x[9], kCos2, kCos2);
  x[10] = minus_i(x[10]);
  x[11] = turn(x[11], -kCos2, kCos2);
  x[13] = turn(x[13], kSin1, kCos1);
  x[14] = turn(x[14], -kCos2, kCos2);
  x[15] = turn(x[15], -kCos1, -kSin1);
  dft4(x[0], x[1], x[2], x[3]);
  dft4(x[4], x[5], x[6], x[7]);
  dft4(x[8], x[9], x[10], x[11]);
  dft4(x[12], x[13], x[14], x[15]);
}

// samples[row][block] is sample row + 160 block of lane 0's window; the next lane's is one block
// on.
constexpr int kBlocks = kDoubles + 2;

// z[n] of each lane, windowed
GBAN_INLINE Complex windowed(const double* window, const double (*samples)[kBlocks], int n) {
  const int even = 2 * n % kHop, block = 2 * n / kHop;
  return {all(window[2 * n]) * load(samples[even] + block),
          all(window[2 * n + 1]) * load(samples[even + 1] + block)};
}

// Column n of the first pass: the transform of z[n], z[n + 16], ..., turned for the second.
// `whole`: z[n + 192] is still inside the window; z from 200 on is not.
GBAN_INLINE void column(const FrontendPlan& plan, const double (*samples)[kBlocks], int n,
                        bool whole, Complex (*out)[kRow]) {
  Complex x[16];
  x[0] = windowed(plan.window, samples, n);
  x[1] = windowed(plan.window, samples, n + 16);
  x[2] = windowed(plan.window, samples, n + 32);
  x[3] = windowed(plan.window, samples, n + 48);
  x[4] = windowed(plan.window, samples, n + 64);
  x[5] = windowed(plan.window, samples, n + 80);
  x[6] = windowed(plan.window, samples, n + 96);
  x[7] = windowed(plan.window, samples, n + 112);
  x[8] = windowed(plan.window, samples, n + 128);
  x[9] = windowed(plan.window, samples, n + 144);
  x[10] = windowed(plan.window, samples, n + 160);
  x[11] = windowed(plan.window, samples, n + 176);
  if (whole) {
    x[12] = windowed(plan.window, samples, n + 192);
    dft4(x[0], x[4], x[8], x[12]);
  } else {
    dft4_of_3(x[0], x[4], x[8], x[12]);
  }
  dft4_of_3(x[1], x[5], x[9], x[13]);
  dft4_of_3(x[2], x[6], x[10], x[14]);
  dft4_of_3(x[3], x[7], x[11], x[15]);
  finish_dft16(x);
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) out[k][n] = turn(x[place(k)], plan.twiddle[n][k]);
}

// Row k of the second pass: row [16] -> Z[k + 16 j] at out[j]
GBAN_INLINE void row_transform(const Complex* row, Complex* out) {
  Complex x[16];
#pragma GCC unroll 16
  for (int n = 0; n < 16; ++n) x[n] = row[n];
  dft4(x[0], x[4], x[8], x[12]);
  dft4(x[1], x[5], x[9], x[13]);
  dft4(x[2], x[6], x[10], x[14]);
  dft4(x[3], x[7], x[11], x[15]);
  finish_dft16(x);
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) out[k] = x[place(k)];
}

// |X|^2 of bins k and 256 - k out of z = Z[k] and mirror = Z[256 - k]
GBAN_INLINE void take_apart(const FrontendPlan& plan, int k, Complex z, Complex mirror,
                            Doubles* power) {
  const Complex e = {z.re + mirror.re, z.im - mirror.im};
  const Complex o = {z.im + mirror.im, mirror.re - z.re};
  const Complex wo = turn(o, plan.real_twiddle[k]);
  const Complex x = e + wo, y = e - wo;
  power[k] = x.re * x.re + x.im * x.im;
  power[kFft / 2 - k] = y.re * y.re + y.im * y.im;
}

// samples [160, kBlocks] -> power [257]
inline void power_spectrum(const FrontendPlan& plan, const double (*samples)[kBlocks],
                           Doubles* power) {
  Complex rows[16][kRow];
  for (int n = 0; n < 8; ++n) column(plan, samples, n, true, rows);
  for (int n = 8; n < 16; ++n) column(plan, samples, n, false, rows);
  Complex z[16], mirror[16];
  row_transform(rows[0], z);
  for (int j = 0; j <= 8; ++j) take_apart(plan, 16 * j, z[j], z[(16 - j) % 16], power);
  for (int k = 1; k < 8; ++k) {
    row_transform(rows[k], z);
    row_transform(rows[16 - k], mirror);
    for (int j = 0; j < 8; ++j) take_apart(plan, k + 16 * j, z[j], mirror[15 - j], power);
    for (int j = 0; j < 8; ++j) take_apart(plan, 16 - k + 16 * j, mirror[j], z[15 - j], power);
  }
  row_transform(rows[8], z);
  for (int j = 0; j < 8; ++j) take_apart(plan, 8 + 16 * j, z[j], z[15 - j], power);
}

}  // namespace gban::GBAN_ISA
