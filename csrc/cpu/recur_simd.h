// The recurrence of one direction of an LSTM. Per instruction set: see simd.h.
//
// A step reads all of W_hh, which does not fit into the first-level cache: the second-level
// cache's bandwidth is the limit, and narrower weights are faster for it.
#pragma once

#include "engine_kernels.h"
#include "matrix_simd.h"
#include "simd_math.h"

namespace gban::GBAN_ISA {

// New cells and states of one vector of units, of the sums of their gates i, f, g, o. Divisions
// are dear, so that a product of two functions shares one:
//   sigmoid(i) tanh(g) = (exp(2g) - 1) / ((1 + exp(-i)) (exp(2g) + 1))
GBAN_INLINE void gate_units(const Floats (&sums)[4], float* cells, Floats& state) {
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
  std::int64_t step;  // 1 or -1: which way through the weights
};

// sums[4] of panel n += W_hh h
template <typename W>
GBAN_INLINE void add_hidden(const Recurrence& r, std::int64_t n, const Before& h,
                            Floats (&sums)[4]) {
  const Matrix& m = *r.hidden_weights;
  if constexpr (kIsInteger<W>) {
    Ints whole[1][4];
    multiply_quantised<1, 4, sizeof(W) == 2>(m, 4 * n, h.quantised, 0, whole);
    const float scale = 1.0f / int16_limit(m.depth);
    each<4>([&](auto g) GBAN_BODY {
      sums[g] += as_floats(whole[0][g]) * (scale * load(m.scales + (4 * n + g) * kFloats));
    });
  } else {
    const W* const w = static_cast<const W*>(m.data) + n * 4 * m.depth * kFloats;
    accumulate_one<4>(h.state, w, m.depth, h.step, sums);
  }
}

template <typename W>
inline void recur_panel(const Recurrence& r, std::int64_t n, const Before& before,
                        const float* projected, float* state) {
  Floats sums[4];
  each<4>([&](auto g) GBAN_BODY { sums[g] = load(projected + (4 * n + g) * kFloats); });
  if (before.state) add_hidden<W>(r, n, before, sums);
  Floats units;
  gate_units(sums, r.cells + n * kFloats, units);
  store_upto(state + n * kFloats, units, r.hidden - n * kFloats);
}

template <typename W>
inline void recur_with(const Recurrence& r) {
  const std::int64_t panels = (r.hidden + kFloats - 1) / kFloats;
  std::memset(r.cells, 0, static_cast<std::size_t>(panels * kFloats) * sizeof(float));
  Before before = {nullptr, r.quantised, 1};
  for (std::int64_t step = 0; step < r.steps; ++step) {
    const std::int64_t t = r.backward ? r.steps - 1 - step : step;
    const float* const projected = r.projected + t * panels * 4 * kFloats;
    float* const state = r.states + t * r.state_stride;
    // To and fro, so that each step finds in the first-level cache what the one before read last.
    before.step = step % 2 ? 1 : -1;
    for (std::int64_t n = 0; n < panels; ++n)
      recur_panel<W>(r, step % 2 ? panels - 1 - n : n, before, projected, state);
    before.state = state;
    if constexpr (kIsInteger<W>)
      quantise_row(state, r.hidden, r.hidden_weights->padded_depth(), int16_limit(r.hidden),
                   r.quantised);
  }
}

}  // namespace gban::GBAN_ISA
