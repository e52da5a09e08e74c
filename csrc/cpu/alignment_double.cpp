#include "alignment_double.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace gban {
namespace {

double dot(const double* x, const double* y, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

// out [D] = sum over i of weights[i] rows[i]
void pool(const double* weights, const double* rows, std::int64_t stride, std::int64_t n,
          std::int64_t D, double* out) {
  std::fill(out, out + D, 0.0);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t d = 0; d < D; ++d) out[d] += weights[i] * rows[i * stride + d];
}

}  // namespace

void align_double(const AlignForward<double>& a, std::int64_t b) {
  const std::int64_t K = a.sizes.steps, L = a.sizes.words, D = a.sizes.states;
  const std::int64_t steps = a.speech_lengths ? a.speech_lengths[b] : K;
  const std::int64_t words = a.text_lengths ? a.text_lengths[b] : L;
  const double *S = a.speech.at(b), *T = a.text.at(b);
  double *w_s = a.speech_weights + b * K, *w_t = a.text_weights + b * L;
  double *r = a.speech_sums + b * K, *c = a.text_sums + b * L;
  for (double* row : {w_s, r}) std::fill(row, row + K, 0.0);
  for (double* row : {w_t, c}) std::fill(row, row + L, 0.0);

  std::vector<double> E(static_cast<std::size_t>(steps * words));
  for (std::int64_t k = 0; k < steps; ++k)
    for (std::int64_t j = 0; j < words; ++j) {
      const double score = dot(S + k * a.speech.row_stride, T + j * a.text.row_stride, D);
      const double e = E[k * words + j] = std::exp(std::tanh(score));
      r[k] += e;
      c[j] += e;
    }
  double* alpha = a.alpha ? a.alpha + b * L * K : nullptr;
  double* beta = a.beta ? a.beta + b * K * L : nullptr;
  if (alpha) std::fill(alpha, alpha + L * K, 0.0);
  if (beta) std::fill(beta, beta + K * L, 0.0);
  for (std::int64_t k = 0; k < steps; ++k)
    for (std::int64_t j = 0; j < words; ++j) {
      const double e = E[k * words + j];
      w_s[k] += e / c[j] / static_cast<double>(words);
      w_t[j] += e / r[k] / static_cast<double>(steps);
      if (alpha) alpha[j * K + k] = e / c[j];
      if (beta) beta[k * L + j] = e / r[k];
    }
  pool(w_s, S, a.speech.row_stride, steps, D, a.pooled_speech + b * D);
  pool(w_t, T, a.text.row_stride, words, D, a.pooled_text + b * D);
}

}  // namespace gban
