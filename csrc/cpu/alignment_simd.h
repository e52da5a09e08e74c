// What alignment.cpp (threads, checks) asks of alignment_simd.cpp (one utterance, in vectors).
#pragma once

#include <cstdint>

namespace gban {

// One utterance at its true lengths; rows dense, strides in floats.
struct Utterance {
  const float* speech;  // [K, D]
  std::int64_t speech_stride;
  const float* text;  // [L, D]
  std::int64_t text_stride;
  std::int64_t K, L, D;
};

struct ForwardOutputs {
  float* pooled_speech;   // [D]
  float* pooled_text;     // [D]
  float* speech_weights;  // [K]
  float* text_weights;    // [L]
  float* speech_sums;     // [K]
  float* text_sums;       // [L]
  float* alpha;           // [L, K], rows alpha_stride apart, or null
  std::int64_t alpha_stride;
  float* beta;  // [K, L], rows beta_stride apart, or null
  std::int64_t beta_stride;
};

struct BackwardInputs {
  const float* speech_sums;       // [K]
  const float* text_sums;         // [L]
  const float* d_pooled_speech;   // [D]
  const float* d_pooled_text;     // [D]
  const float* d_speech_weights;  // [K] or null
  const float* d_text_weights;    // [L] or null
};

// L rounded up to whole vectors of the widest instruction set.
constexpr std::int64_t padded(std::int64_t L) { return (L + 15) / 16 * 16; }

// Floats of scratch that either direction needs.
constexpr std::int64_t scratch_floats(std::int64_t K, std::int64_t L) {
  return (K + 4) * padded(L) + 3 * K;
}

struct AlignKernels {
  void (*forward)(const Utterance&, const ForwardOutputs&, float* scratch);
  void (*backward)(const Utterance&, const BackwardInputs&, float* d_speech, float* d_text,
                   float* scratch);
};

// Those of current_isa().
const AlignKernels& current_align_kernels();

}  // namespace gban
