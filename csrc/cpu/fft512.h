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

struct Complex {
  Doubles re, im;
};

// A row longer than 16: rows a power of two apart would share a few lines of the cache.
constexpr int kRow = 17;

GBAN_INLINE Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
GBAN_INLINE Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
GBAN_INLINE Complex operator*(Complex a, double b) { return {a.re * all(b), a.im * all(b)}; }

// a exp(-i angle)
GBAN_INLINE Complex turn(Complex a, double cos, double sin) {
  return {a.re * all(cos) + a.im * all(sin), a.im * all(cos) - a.re * all(sin)};
}

// a exp(-i angle) but for the factor cos angle
GBAN_INLINE Complex slant(Complex a, double tan) {
  return {a.re + a.im * all(tan), a.im - a.re * all(tan)};
}

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

// The same of a and of b, c, d after one, two and three turns. With all three in the shape of c's
// it would be four operations less, but all would multiply; many processors add beside that.
GBAN_INLINE void turned_dft4(Complex& a, Complex& b, Complex& c, Complex& d, const Turns& turns) {
  const Complex p = turn(b, turns.cos1, turns.sin1), r = turn(d, turns.cos3, turns.sin3);
  const Complex q = slant(c, turns.tan2);
  const Complex even = a + q * turns.cos2, plus = a - q * turns.cos2;
  const Complex odd = p + r, rest = p - r;
  a = even + odd;
  b = {plus.re + rest.im, plus.im - rest.re};
  c = even - odd;
  d = {plus.re - rest.im, plus.im + rest.re};
}

// Where the transforms of 16 below have their output k.
constexpr int place(int k) { return k % 4 * 4 + k / 4; }

// samples[row][block] is sample row + 160 block of lane 0's window; lane 1's is one block further.
constexpr int kBlocks = kDoubles + 2;

// z[n + 16 step] of each lane, windowed. A block is five steps long, so with a constant step all
// but n is known to the compiler.
GBAN_INLINE Complex windowed(const double* window, const double (*samples)[kBlocks], int n,
                             int step) {
  static_assert(kHop == 5 * 32, "a step is 32 samples");
  const double* const weight = window + 2 * n + 32 * step;
  const double (*const row)[kBlocks] = samples + 2 * n + step % 5 * 32;
  return {all(weight[0]) * load(row[0] + step / 5), all(weight[1]) * load(row[1] + step / 5)};
}

// Column n of the first pass: the transform of z[n], z[n + 16], ... to out[k][n].
// `whole`: z[n + 192] is still inside the window; z from 200 on is not.
GBAN_INLINE void column(const FrontendPlan& plan, const double (*samples)[kBlocks], int n,
                        bool whole, Complex (*out)[kRow]) {
  Complex x[16];
#pragma GCC unroll 12
  for (int step = 0; step < 12; ++step) x[step] = windowed(plan.window, samples, n, step);
  if (whole) {
    x[12] = windowed(plan.window, samples, n, 12);
    dft4(x[0], x[4], x[8], x[12]);
  } else {
    dft4_of_3(x[0], x[4], x[8], x[12]);
  }
  dft4_of_3(x[1], x[5], x[9], x[13]);
  dft4_of_3(x[2], x[6], x[10], x[14]);
  dft4_of_3(x[3], x[7], x[11], x[15]);
  dft4(x[0], x[1], x[2], x[3]);
  turned_dft4(x[4], x[5], x[6], x[7], plan.turns[16]);
  turned_dft4(x[8], x[9], x[10], x[11], plan.turns[32]);
  turned_dft4(x[12], x[13], x[14], x[15], plan.turns[48]);
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) out[k][n] = x[place(k)];
}

// Row k of the second pass: row [16] -> Z[k + 16 j] at out[j]. What stands between the passes, the
// turn of row[n] by n k / 256, is part of the turns here.
GBAN_INLINE void row_transform(const FrontendPlan& plan, int k, const Complex* row, Complex* out) {
  Complex x[16];
#pragma GCC unroll 16
  for (int n = 0; n < 16; ++n) x[n] = row[n];
  turned_dft4(x[0], x[4], x[8], x[12], plan.turns[4 * k]);
  turned_dft4(x[1], x[5], x[9], x[13], plan.turns[4 * k]);
  turned_dft4(x[2], x[6], x[10], x[14], plan.turns[4 * k]);
  turned_dft4(x[3], x[7], x[11], x[15], plan.turns[4 * k]);
  turned_dft4(x[0], x[1], x[2], x[3], plan.turns[k]);
  turned_dft4(x[4], x[5], x[6], x[7], plan.turns[k + 16]);
  turned_dft4(x[8], x[9], x[10], x[11], plan.turns[k + 32]);
  turned_dft4(x[12], x[13], x[14], x[15], plan.turns[k + 48]);
#pragma GCC unroll 16
  for (int j = 0; j < 16; ++j) out[j] = x[place(j)];
}

// X[k] and X[256 - k] out of z = Z[k] and mirror = Z[256 - k], k up to 128
GBAN_INLINE void take_apart(const FrontendPlan& plan, int k, Complex z, Complex mirror, Complex& x,
                            Complex& y) {
  const Complex e = {z.re + mirror.re, z.im - mirror.im};
  const Complex o = {z.im + mirror.im, mirror.re - z.re};
  const Complex wo = slant(o, plan.real_tan[k]);
  x = e + wo * plan.real_cos[k];
  y = e - wo * plan.real_cos[k];
}

// Out of rows k and 16 - k of Z the power of bins k + 16 j and of their mirrors, of which the first
// three lie above kTopBin.
GBAN_INLINE void pair_power(const FrontendPlan& plan, int k, const Complex* z,
                            const Complex* mirror, Doubles* power) {
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) {
    Complex x, y;
    take_apart(plan, k + 16 * j, z[j], mirror[15 - j], x, y);
    power[k + 16 * j] = x.re * x.re + x.im * x.im;
    if (j >= 3) power[kFft / 2 - k - 16 * j] = y.re * y.re + y.im * y.im;
  }
}

// samples [160, kBlocks] -> power [kTopBin + 1]
inline void power_spectrum(const FrontendPlan& plan, const double (*samples)[kBlocks],
                           Doubles* power) {
  Complex rows[16][kRow];
  for (int n = 0; n < 8; ++n) column(plan, samples, n, true, rows);
  for (int n = 8; n < 16; ++n) column(plan, samples, n, false, rows);
  Complex z[17], mirror[16];
  row_transform(plan, 0, rows[0], z);
  z[16] = z[0];
  pair_power(plan, 0, z, z + 1, power);
  Complex x, y;
  take_apart(plan, 128, z[8], z[8], x, y);
  power[128] = x.re * x.re + x.im * x.im;
  for (int k = 1; k < 8; ++k) {
    row_transform(plan, k, rows[k], z);
    row_transform(plan, 16 - k, rows[16 - k], mirror);
    pair_power(plan, k, z, mirror, power);
    pair_power(plan, 16 - k, mirror, z, power);
  }
  row_transform(plan, 8, rows[8], z);
  pair_power(plan, 8, z, z, power);
}

}  // namespace gban::GBAN_ISA
