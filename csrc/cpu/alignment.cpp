#include "gban/alignment.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace gban {
namespace {

template <typename T>
T dot(const T* x, const T* y, std::int64_t n) {
  // Eight partial sums: they fill a vector register, and keep the rounding error small.
  T part[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j) part[j] += x[i + j] * y[i + j];
  T sum = 0;
  for (; i < n; ++i) sum += x[i] * y[i];
  for (T p : part) sum += p;
  return sum;
}

// out [states] = sum over i of weights[i] * rows[i], rows [n, states]
template <typename T>
void pool(const T* weights, const T* rows, std::int64_t n, std::int64_t states, T* out) {
  std::fill(out, out + states, T(0));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t d = 0; d < states; ++d) out[d] += weights[i] * rows[i * states + d];
}

void check_length(const char* name, std::int64_t length, std::int64_t limit) {
  if (length < 1 || length > limit)
    throw std::invalid_argument(std::string(name) + " must lie in 1.." + std::to_string(limit) +
                                ", got " + std::to_string(length));
}

// One utterance of K true speech steps and L true text steps. scores is scratch [K, L].
template <typename T>
void align_one(const T* speech, const T* text, std::int64_t K, std::int64_t L, std::int64_t D,
               T* a_s, T* a_t, T* w_s, T* w_t, std::vector<T>& scores) {
  scores.resize(static_cast<std::size_t>(K * L));
  std::vector<T> over_speech(static_cast<std::size_t>(L), T(0));  // c_j = sum_k E_kj
  std::fill(w_s, w_s + K, T(0));
  std::fill(w_t, w_t + L, T(0));
  for (std::int64_t k = 0; k < K; ++k) {
    T* row = scores.data() + k * L;
    T over_text = 0;  // r_k = sum_j E_kj
    for (std::int64_t j = 0; j < L; ++j) {
      row[j] = std::exp(std::tanh(dot(speech + k * D, text + j * D, D)));
      over_text += row[j];
      over_speech[j] += row[j];
    }
    for (std::int64_t j = 0; j < L; ++j) w_t[j] += row[j] / over_text;
  }
  for (std::int64_t k = 0; k < K; ++k) {
    for (std::int64_t j = 0; j < L; ++j) w_s[k] += scores[k * L + j] / over_speech[j];
    w_s[k] /= static_cast<T>(L);
  }
  for (std::int64_t j = 0; j < L; ++j) w_t[j] /= static_cast<T>(K);
  pool(w_s, speech, K, D, a_s);
  pool(w_t, text, L, D, a_t);
}

}  // namespace

template <typename T>
void align_pool_forward(const AlignPool<T>& a) {
  for (std::int64_t b = 0; b < a.batch; ++b) {
    check_length("speech_lengths", a.speech_lengths[b], a.steps);
    check_length("text_lengths", a.text_lengths[b], a.words);
  }
  std::vector<T> scores;
  for (std::int64_t b = 0; b < a.batch; ++b) {
    const std::int64_t K = a.speech_lengths[b], L = a.text_lengths[b];
    T* w_s = a.speech_weights + b * a.steps;
    T* w_t = a.text_weights + b * a.words;
    std::fill(w_s + K, w_s + a.steps, T(0));
    std::fill(w_t + L, w_t + a.words, T(0));
    align_one(a.speech + b * a.steps * a.states, a.text + b * a.words * a.states, K, L, a.states,
              a.pooled_speech + b * a.states, a.pooled_text + b * a.states, w_s, w_t, scores);
  }
}

template void align_pool_forward<float>(const AlignPool<float>&);
template void align_pool_forward<double>(const AlignPool<double>&);

}  // namespace gban
