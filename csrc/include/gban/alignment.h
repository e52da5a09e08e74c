// Bidirectional tanh-dot alignment with pooling: eqs. 9-14 of the paper and their means.
//
// With A = tanh(S T^t), E = exp(A), r_k = sum_j E_kj and c_j = sum_k E_kj:
//   w_s[k] = 1/L sum_j E_kj / c_j     a_s = sum_k w_s[k] S_k
//   w_t[j] = 1/K sum_k E_kj / r_k     a_t = sum_j w_t[j] T_j
// tanh bounds A to [-1, 1], so exp needs no maximum subtracted.
#pragma once

#include <cstdint>

#include "gban/numeric.h"

namespace gban {

// [batch, rows, D]; strides in elements, the last dimension dense.
template <typename T>
struct Rows {
  T* data;
  std::int64_t batch_stride;
  std::int64_t row_stride;

  GBAN_HD T* at(std::int64_t b) const { return data + b * batch_stride; }
};

struct AlignSizes {
  std::int64_t batch;   // B
  std::int64_t steps;   // K, the padded number of speech steps
  std::int64_t words;   // L, the padded number of text steps
  std::int64_t states;  // D
};

// float for float and every narrower type; double for double.
template <typename T>
struct Sum {
  using Type = float;
};
template <>
struct Sum<double> {
  using Type = double;
};

// Outputs are dense, the caller's, and zero beyond the true lengths.
template <typename T>
struct AlignForward {
  AlignSizes sizes;
  Rows<const T> speech;                // [B, K, D]
  Rows<const T> text;                  // [B, L, D]
  const std::int64_t* speech_lengths;  // [B], each in 1..K; null: K everywhere
  const std::int64_t* text_lengths;    // [B], each in 1..L; null: L everywhere
  T* pooled_speech;                    // [B, D], a_s
  T* pooled_text;                      // [B, D], a_t
  T* speech_weights;                   // [B, K], w_s
  T* text_weights;                     // [B, L], w_t
  typename Sum<T>::Type* speech_sums;  // [B, K], r, which the backward needs
  typename Sum<T>::Type* text_sums;    // [B, L], c, likewise
  T* alpha;                            // [B, L, K], E_kj / c_j; null: not wanted
  T* beta;                             // [B, K, L], E_kj / r_k; null: not wanted
};

// With p_k = S_k . da_s + dw_s[k], q_j = T_j . da_t + dw_t[j], alpha = E/c, beta = E/r,
// m_j = sum_k alpha_kj p_k and n_k = sum_j beta_kj q_j:
//   G = [alpha (p_k - m_j) / L + beta (q_j - n_k) / K] (1 - A^2)
//   dS = G T + w_s da_s^t     dT = G^t S + w_t da_t^t
template <typename T>
struct AlignBackward {
  AlignSizes sizes;
  Rows<const T> speech;                      // [B, K, D]
  Rows<const T> text;                        // [B, L, D]
  const std::int64_t* speech_lengths;        // [B] or null
  const std::int64_t* text_lengths;          // [B] or null
  const typename Sum<T>::Type* speech_sums;  // [B, K], from the forward
  const typename Sum<T>::Type* text_sums;    // [B, L], from the forward
  const T* d_pooled_speech;                  // [B, D]
  const T* d_pooled_text;                    // [B, D]
  const T* d_speech_weights;                 // [B, K], or null for zeros
  const T* d_text_weights;                   // [B, L], or null for zeros
  T* d_speech;                               // [B, K, D]
  T* d_text;                                 // [B, L, D]
};

// On the CPU, over at most `threads` threads; the result does not depend on how many.
// Throws std::invalid_argument where a length lies outside its range.
template <typename T>
void align_pool_forward(const AlignForward<T>& a, int threads = 1);  // float, double
void align_pool_backward(const AlignBackward<float>& a, int threads = 1);

}  // namespace gban
