// The alignment over a batch: checks, threads, and the choice of instruction set.
#include "gban/alignment.h"

#include <memory>
#include <stdexcept>
#include <string>

#include "alignment_double.h"
#include "alignment_simd.h"
#include "dispatch.h"
#include "parallel.h"

namespace gban {

GBAN_DECLARE_KERNELS(AlignKernels, align_kernels)

const AlignKernels& current_align_kernels() { GBAN_CHOOSE_KERNELS(align_kernels, avx512) }

namespace {

void check_lengths(const char* name, const std::int64_t* lengths, std::int64_t batch,
                   std::int64_t limit) {
  for (std::int64_t b = 0; lengths && b < batch; ++b)
    if (lengths[b] < 1 || lengths[b] > limit)
      throw std::invalid_argument(std::string(name) + " must lie in 1.." + std::to_string(limit) +
                                  ", got " + std::to_string(lengths[b]) + " at index " +
                                  std::to_string(b));
}

template <typename Arguments>
void check(const Arguments& a) {
  check_lengths("speech_lengths", a.speech_lengths, a.sizes.batch, a.sizes.steps);
  check_lengths("text_lengths", a.text_lengths, a.sizes.batch, a.sizes.words);
}

template <typename Arguments>
Utterance utterance(const Arguments& a, std::int64_t b) {
  return {a.speech.at(b),
          a.speech.row_stride,
          a.text.at(b),
          a.text.row_stride,
          a.speech_lengths ? a.speech_lengths[b] : a.sizes.steps,
          a.text_lengths ? a.text_lengths[b] : a.sizes.words,
          a.sizes.states};
}

// As many threads as have something worth starting a thread for: 2 million multiply-adds, 30 us.
std::int64_t worth(const AlignSizes& s, int threads) {
  const double work = static_cast<double>(s.batch) * s.steps * s.words * s.states;
  return std::min<std::int64_t>(threads, 1 + static_cast<std::int64_t>(work / 2e6));
}

void zero_tail(float* row, std::int64_t from, std::int64_t to) {
  if (row) std::fill(row + from, row + to, 0.0f);
}

void forward_one(const AlignForward<float>& a, std::int64_t b, float* scratch) {
  const auto [B, K, L, D] = a.sizes;
  (void)B;
  const Utterance u = utterance(a, b);
  const ForwardOutputs out = {a.pooled_speech + b * D,
                              a.pooled_text + b * D,
                              a.speech_weights + b * K,
                              a.text_weights + b * L,
                              a.speech_sums + b * K,
                              a.text_sums + b * L,
                              a.alpha ? a.alpha + b * L * K : nullptr,
                              K,
                              a.beta ? a.beta + b * K * L : nullptr,
                              L};
  zero_tail(out.speech_weights, u.K, K);
  zero_tail(out.speech_sums, u.K, K);
  zero_tail(out.text_weights, u.L, L);
  zero_tail(out.text_sums, u.L, L);
  zero_tail(out.alpha, 0, L * K);
  zero_tail(out.beta, 0, K * L);
  current_align_kernels().forward(u, out, scratch);
}

void backward_one(const AlignBackward<float>& a, std::int64_t b, float* scratch) {
  const auto [B, K, L, D] = a.sizes;
  (void)B;
  const Utterance u = utterance(a, b);
  const BackwardInputs in = {a.speech_sums + b * K,
                             a.text_sums + b * L,
                             a.d_pooled_speech + b * D,
                             a.d_pooled_text + b * D,
                             a.d_speech_weights ? a.d_speech_weights + b * K : nullptr,
                             a.d_text_weights ? a.d_text_weights + b * L : nullptr};
  float *d_speech = a.d_speech + b * K * D, *d_text = a.d_text + b * L * D;
  zero_tail(d_speech, u.K * D, K * D);
  zero_tail(d_text, u.L * D, L * D);
  current_align_kernels().backward(u, in, d_speech, d_text, scratch);
}

template <typename Arguments, typename One>
void each_utterance(const Arguments& a, int threads, const One& one) {
  check(a);
  const AlignSizes& s = a.sizes;
  parallel_for(s.batch, worth(s, threads), [&](auto& next) {
    const std::unique_ptr<float[]> scratch(new float[scratch_floats(s.steps, s.words)]);
    for (std::int64_t b = next(); b < s.batch; b = next()) one(a, b, scratch.get());
  });
}

}  // namespace

template <>
void align_pool_forward(const AlignForward<float>& a, int threads) {
  each_utterance(a, threads, forward_one);
}

template <>
void align_pool_forward(const AlignForward<double>& a, int threads) {
  check(a);
  parallel_for(a.sizes.batch, worth(a.sizes, threads), [&](auto& next) {
    for (std::int64_t b = next(); b < a.sizes.batch; b = next()) align_double(a, b);
  });
}

void align_pool_backward(const AlignBackward<float>& a, int threads) {
  each_utterance(a, threads, backward_one);
}

}  // namespace gban
