// An LSTM in both directions, written out in double precision one scalar at a time, from torch's
// weights: nothing of the kernels' layouts, packing or order.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace bilstm_gold {

using Numbers = std::vector<double>;

struct Direction {
  Numbers w_ih, w_hh, b_ih, b_hh;  // [4 H, width], [4 H, H], [4 H], [4 H]; gates i, f, g, o
};

inline double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// x [steps][width], read forwards or backwards; states [steps][H] at the steps they belong to, and
// the one that came last.
inline void run_direction(const Direction& w, const std::vector<Numbers>& x, bool backward,
                          std::vector<Numbers>& states, Numbers& last) {
  const std::size_t H = w.b_ih.size() / 4, width = x[0].size();
  Numbers h(H, 0.0), c(H, 0.0);
  states.assign(x.size(), Numbers(H));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t step = backward ? x.size() - 1 - i : i;
    Numbers sums(4 * H);
    for (std::size_t row = 0; row < 4 * H; ++row) {
      double sum = w.b_ih[row] + w.b_hh[row];
      for (std::size_t k = 0; k < width; ++k) sum += w.w_ih[row * width + k] * x[step][k];
      for (std::size_t k = 0; k < H; ++k) sum += w.w_hh[row * H + k] * h[k];
      sums[row] = sum;
    }
    for (std::size_t u = 0; u < H; ++u) {
      c[u] = sigmoid(sums[H + u]) * c[u] + sigmoid(sums[u]) * std::tanh(sums[2 * H + u]);
      h[u] = sigmoid(sums[3 * H + u]) * std::tanh(c[u]);
    }
    states[step] = h;
  }
  last = h;
}

// One utterance through all layers; layers[l][direction].
struct Result {
  std::vector<Numbers> states;  // [steps][2 H]
  Numbers last;                 // [2 H]
};

inline Result run_utterance(const std::vector<std::vector<Direction>>& layers,
                            std::vector<Numbers> x) {
  Result out;
  for (const auto& both : layers) {
    out.last.clear();
    out.states.assign(x.size(), {});
    for (int d = 0; d < 2; ++d) {
      std::vector<Numbers> states;
      Numbers last;
      run_direction(both[d], x, d == 1, states, last);
      for (std::size_t k = 0; k < x.size(); ++k)
        out.states[k].insert(out.states[k].end(), states[k].begin(), states[k].end());
      out.last.insert(out.last.end(), last.begin(), last.end());
    }
    x = out.states;
  }
  return out;
}

}  // namespace bilstm_gold
