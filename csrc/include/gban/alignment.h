// Bidirectional tanh-dot alignment with pooling: eqs. 9-14 of the paper and their means.
#pragma once

#include <cstdint>

namespace gban {

// Shapes on every pointer; all arrays are dense and row-major, the outputs are the caller's.
template <typename T>
struct AlignPool {
  std::int64_t batch;                  // B
  std::int64_t steps;                  // K, the padded number of speech steps
  std::int64_t words;                  // L, the padded number of text steps
  std::int64_t states;                 // D
  const T* speech;                     // [B, K, D]
  const T* text;                       // [B, L, D]
  const std::int64_t* speech_lengths;  // [B], each in 1..K
  const std::int64_t* text_lengths;    // [B], each in 1..L
  T* pooled_speech;                    // [B, D], a_s
  T* pooled_text;                      // [B, D], a_t
  T* speech_weights;                   // [B, K], w_s, zero beyond the true length
  T* text_weights;                     // [B, L], w_t, zero beyond the true length
};

// Throws std::invalid_argument where a length lies outside its range.
template <typename T>
void align_pool_forward(const AlignPool<T>& a);

}  // namespace gban
