// The recurrence of one direction of an LSTM. Per instruction set: see simd.h.
//
// A step reads all of W_hh, which does not fit into the first-level cache: the second-level
// cache's bandwidth is the limit, and narrower weights are faster for it.
#pragma once

#include "engine_kernels.h"
#include "matrix_simd.h"
#include "simd_math.h"

namespace gban::GBAN_ISA {

// q [depth rounded up to even] = x [depth] * factor, rounded.
inline void quantise_row(const float* x, std::int64_t depth, float factor, std::int16_t* q) {
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  for (std::int64_t k = 0; k < depth; k += kFloats) {
    const Floats shifted = load_upto(x + k, depth - k) * factor + kMagic;
    Ints bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits -= 0x4B400000;
    const std::int64_t n = depth - k < kFloats ? depth - k : kFloats;
    for (int i = 0; i < n; ++i) q[k + i] = static_cast<std::int16_t>(bits[i]);
  }
  if (depth % 2) q[depth] = 0;
}

// New cells and states of one vector of units, of the sums of their gates i, f, g, o. Divisions
// are dear, so that a product of two functions shares one:
//   sigmoid(i) tanh(g) = (exp(2g) - 1) / ((1 + exp(-i)) (exp(2g) + 1))
inline void gate_units(const Floats (&sums)[4], float* cells, Floats& state) {
  const Floats i = exp_bounded(clamp(-sums[0], 40.0f)), f = exp_bounded(clamp(-sums[1], 80.0f));
  const Floats g = exp_bounded(clamp(2.0f * sums[2], 30.0f));
  const Floats o = exp_bounded(clamp(-sums[3], 40.0f));
  const Floats cell = load(cells) / (1.0f + f) + (g - 1.0f) / ((1.0f + i) * (g + 1.0f));
  store(cells, cell);
  const Floats c = exp_bounded(clamp(2.0f * cell, 30.0f));
  state = (c - 1.0f) / ((1.0f + o) * (c + 1.0f));
}

// What the product with W_hh reads of the state before: as it is, or quantised. States lie in
// (-1, 1), so that one scale serves them all.
struct Before {
  const float* state;  // null: the first step
  const std::int16_t* quantised;
};

// sums[4] of panel n += W_hh h
template <typename W>
inline void add_hidden(const Recurrence& r, std::int64_t n, const Before& h, Floats (&sums)[1][4]) {
  const Matrix& m = *r.hidden_weights;
  accumulate<1, 4>(h.state, 0, static_cast<const W*>(m.data) + n * 4 * m.depth * kFloats, m.depth,
                   sums);
}
template <>
inline void add_hidden<std::int8_t>(const Recurrence& r, std::int64_t n, const Before& h,
                                    Floats (&sums)[1][4]) {
  const Matrix& m = *r.hidden_weights;
  Ints whole[1][4] = {};
  accumulate<1, 4>(h.quantised, 0,
                   static_cast<const std::int8_t*>(m.data) + n * 4 * m.padded_depth() * kFloats,
                   m.padded_depth(), whole);
  const float scale = 1.0f / int16_limit(m.depth);
  for (int g = 0; g < 4; ++g)
    sums[0][g] += as_floats(whole[0][g]) * (scale * load(m.scales + (4 * n + g) * kFloats));
}

template <typename W>
inline void recur_panel(const Recurrence& r, std::int64_t n, const Before& before,
                        const float* projected, float* state) {
  Floats sums[1][4];
  for (int g = 0; g < 4; ++g) sums[0][g] = load(projected + (4 * n + g) * kFloats);
  if (before.state) add_hidden<W>(r, n, before, sums);
  Floats units;
  gate_units(sums[0], r.cells + n * kFloats, units);
  store_upto(state + n * kFloats, units, r.hidden - n * kFloats);
}

template <typename W>
inline void recur_with(const Recurrence& r) {
  const std::int64_t panels = (r.hidden + kFloats - 1) / kFloats;
  std::memset(r.cells, 0, static_cast<std::size_t>(panels * kFloats) * sizeof(float));
  Before before = {nullptr, r.quantised};
  for (std::int64_t step = 0; step < r.steps; ++step) {
    const std::int64_t t = r.backward ? r.steps - 1 - step : step;
    const float* const projected = r.projected + t * panels * 4 * kFloats;
    float* const state = r.states + t * r.state_stride;
    // To and fro, so that each step finds in the first-level cache what the one before read last.
    for (std::int64_t n = 0; n < panels; ++n)
      recur_panel<W>(r, step % 2 ? panels - 1 - n : n, before, projected, state);
    before.state = state;
    if constexpr (sizeof(W) == 1) quantise_row(state, r.hidden, int16_limit(r.hidden), r.quantised);
  }
}

}  // namespace gban::GBAN_ISA
