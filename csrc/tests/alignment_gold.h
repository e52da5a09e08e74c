// The paper's equations 9-14, written out in double precision, and their derivative by hand: one
// softmax at a time, with none of the simplifications that the fast forms rest on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace gold {

using Numbers = std::vector<double>;

// One direction for one utterance: keys [K, D] are pooled with weights that queries [Q, D] give.
struct Direction {
  std::int64_t K, Q, D;
  const double *keys, *queries;
  Numbers tanh, softmax;  // [Q, K]
  Numbers weights;        // [K], mean over the queries
  Numbers pooled;         // [D]

  Direction(const double* keys_in, std::int64_t K_in, const double* queries_in, std::int64_t Q_in,
            std::int64_t D_in)
      : K(K_in),
        Q(Q_in),
        D(D_in),
        keys(keys_in),
        queries(queries_in),
        tanh(K_in * Q_in),
        softmax(K_in * Q_in),
        weights(K_in),
        pooled(D_in) {
    for (std::int64_t q = 0; q < Q; ++q) {
      double total = 0;
      for (std::int64_t k = 0; k < K; ++k) {
        double score = 0;
        for (std::int64_t d = 0; d < D; ++d) score += keys[k * D + d] * queries[q * D + d];
        tanh[q * K + k] = std::tanh(score);
        total += softmax[q * K + k] = std::exp(tanh[q * K + k]);
      }
      for (std::int64_t k = 0; k < K; ++k) {
        softmax[q * K + k] /= total;
        weights[k] += softmax[q * K + k] / static_cast<double>(Q);
        for (std::int64_t d = 0; d < D; ++d)
          pooled[d] += softmax[q * K + k] * keys[k * D + d] / static_cast<double>(Q);
      }
    }
  }

  // Adds to d_keys [K, D] and d_queries [Q, D].
  void backward(const double* d_pooled, const double* d_weights, double* d_keys,
                double* d_queries) const {
    for (std::int64_t q = 0; q < Q; ++q) {
      Numbers d_softmax(K);
      double mean = 0;
      for (std::int64_t k = 0; k < K; ++k) {
        double sum = d_weights[k];
        for (std::int64_t d = 0; d < D; ++d) {
          sum += d_pooled[d] * keys[k * D + d];
          d_keys[k * D + d] += softmax[q * K + k] * d_pooled[d] / static_cast<double>(Q);
        }
        d_softmax[k] = sum / static_cast<double>(Q);
        mean += softmax[q * K + k] * d_softmax[k];
      }
      for (std::int64_t k = 0; k < K; ++k) {
        const double a = tanh[q * K + k];
        const double d_score = softmax[q * K + k] * (d_softmax[k] - mean) * (1 - a * a);
        for (std::int64_t d = 0; d < D; ++d) {
          d_keys[k * D + d] += d_score * queries[q * D + d];
          d_queries[q * D + d] += d_score * keys[k * D + d];
        }
      }
    }
  }
};

// Largest difference from the gold, relative to the gold's largest magnitude; NaN counts as huge.
inline double error(const Numbers& want, const Numbers& got) {
  double scale = 1e-30, worst = 0;
  for (double x : want) scale = std::max(scale, std::fabs(x));
  for (std::size_t i = 0; i < want.size(); ++i)
    worst = std::isnan(got[i]) ? HUGE_VAL : std::max(worst, std::fabs(want[i] - got[i]));
  return worst / scale;
}

// A batch of one random problem, its gold, and upstream gradients.
struct Problem {
  std::int64_t B, K, L, D;
  std::vector<std::int64_t> k, l;                   // true lengths [B]
  Numbers speech, text;                             // [B, K, D], [B, L, D]
  Numbers d_a_s, d_a_t, d_w_s, d_w_t;               // upstream
  Numbers a_s, a_t, w_s, w_t, alpha, beta, dS, dT;  // what must come out

  static Numbers normal(std::mt19937_64& rng, std::int64_t n, double deviation) {
    std::normal_distribution<double> draw(0.0, deviation);
    Numbers values(static_cast<std::size_t>(n));
    for (double& value : values) value = draw(rng);
    return values;
  }

  // `rounded` turns a number into one that the type under test can hold.
  template <typename Round>
  Problem(std::mt19937_64& rng, std::int64_t B_in, std::int64_t K_in, std::int64_t L_in,
          std::int64_t D_in, bool ragged, const Round& rounded)
      : B(B_in), K(K_in), L(L_in), D(D_in) {
    for (std::int64_t b = 0; b < B; ++b) {
      k.push_back(ragged ? 1 + static_cast<std::int64_t>(rng() % K) : K);
      l.push_back(ragged ? 1 + static_cast<std::int64_t>(rng() % L) : L);
    }
    // Scores of deviation 0.1 to 2: from flat to saturated.
    const double spread = std::exp(std::uniform_real_distribution<double>(-2.3, 0.7)(rng));
    const double deviation = std::sqrt(spread / std::sqrt(static_cast<double>(D)));
    speech = normal(rng, B * K * D, deviation);
    text = normal(rng, B * L * D, deviation);
    d_a_s = normal(rng, B * D, 1.0);
    d_a_t = normal(rng, B * D, 1.0);
    d_w_s = normal(rng, B * K, 1.0);
    d_w_t = normal(rng, B * L, 1.0);
    for (Numbers* x : {&speech, &text, &d_a_s, &d_a_t, &d_w_s, &d_w_t})
      for (double& value : *x) value = rounded(value);
    solve();
  }

  void solve() {
    a_s.assign(B * D, 0), a_t = a_s;
    w_s.assign(B * K, 0), w_t.assign(B * L, 0);
    alpha.assign(B * L * K, 0), beta.assign(B * K * L, 0);
    dS.assign(B * K * D, 0), dT.assign(B * L * D, 0);
    for (std::int64_t b = 0; b < B; ++b) {
      const double *S = &speech[b * K * D], *T = &text[b * L * D];
      const Direction s(S, k[b], T, l[b], D), t(T, l[b], S, k[b], D);
      std::copy(s.pooled.begin(), s.pooled.end(), &a_s[b * D]);
      std::copy(t.pooled.begin(), t.pooled.end(), &a_t[b * D]);
      std::copy(s.weights.begin(), s.weights.end(), &w_s[b * K]);
      std::copy(t.weights.begin(), t.weights.end(), &w_t[b * L]);
      for (std::int64_t i = 0; i < k[b]; ++i)
        for (std::int64_t j = 0; j < l[b]; ++j) {
          alpha[(b * L + j) * K + i] = s.softmax[j * k[b] + i];
          beta[(b * K + i) * L + j] = t.softmax[i * l[b] + j];
        }
      s.backward(&d_a_s[b * D], &d_w_s[b * K], &dS[b * K * D], &dT[b * L * D]);
      t.backward(&d_a_t[b * D], &d_w_t[b * L], &dT[b * L * D], &dS[b * K * D]);
    }
  }

  // What the upstream gradients weigh: its derivative is dS, dT.
  double objective() const {
    double sum = 0;
    for (std::size_t i = 0; i < a_s.size(); ++i) sum += a_s[i] * d_a_s[i] + a_t[i] * d_a_t[i];
    for (std::size_t i = 0; i < w_s.size(); ++i) sum += w_s[i] * d_w_s[i];
    for (std::size_t i = 0; i < w_t.size(); ++i) sum += w_t[i] * d_w_t[i];
    return sum;
  }
};

// The gold's own derivative against central differences: the largest disagreement.
inline double check_derivative(std::mt19937_64& rng) {
  Problem p(rng, 2, 7, 5, 8, true, [](double x) { return x; });
  const Numbers dS = p.dS, dT = p.dT;
  double worst = 0;
  for (int i = 0; i < 40; ++i) {
    Numbers& x = i % 2 ? p.speech : p.text;
    const Numbers& dx = i % 2 ? dS : dT;
    const std::size_t at = rng() % x.size();
    const double before = x[at], step = 1e-5;
    x[at] = before + step, p.solve();
    const double up = p.objective();
    x[at] = before - step, p.solve();
    worst = std::max(worst, std::fabs((up - p.objective()) / (2 * step) - dx[at]));
    x[at] = before;
  }
  return worst;
}

}  // namespace gold
