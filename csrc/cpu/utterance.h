// One utterance on its way through the network: where everything lies, and its stages as jobs that
// may run side by side.
#pragma once

#include <atomic>
#include <cstdint>

#include "engine_kernels.h"
#include "gban/engine.h"
#include "network.h"

namespace gban {

enum Stage { kConvolutions, kText, kProjection, kRecurrence, kAlignment, kFusion, kStages };
const char* stage_name(int stage);

// Nanoseconds of each stage, summed over threads.
struct StageClock {
  std::atomic<bool> on{false};
  std::atomic<std::int64_t> nanoseconds[kStages] = {};
};

// Memory that grows to the largest utterance seen and is then only used.
class Arena {
 public:
  // Takes what `lay_out` asks for: it is called once to count and once to hand out.
  template <typename LayOut>
  void fit(const LayOut& lay_out) {
    at_ = nullptr;
    used_ = 0;
    lay_out(*this);
    if (used_ > memory_.size()) memory_ = Aligned<unsigned char>(used_);
    at_ = memory_.data();
    used_ = 0;
    lay_out(*this);
  }
  template <typename T>
  T* take(std::int64_t n) {
    T* const here = at_ ? reinterpret_cast<T*>(at_ + used_) : nullptr;
    used_ += (n * static_cast<std::int64_t>(sizeof(T)) + 63) / 64 * 64;
    return here;
  }

 private:
  Aligned<unsigned char> memory_;
  unsigned char* at_ = nullptr;
  std::int64_t used_ = 0;
};

// Scratch of one direction of a BiLSTM.
struct DirectionScratch {
  float* projected;         // [T][4 H rounded up]
  float* cells;             // [H rounded up]
  std::int16_t* quantised;  // int8 only: [T][widest input], then the states' [H]
  float* row_scales;        // [T]
};

struct Modality {
  std::int64_t steps;  // K or L
  float* x;            // [steps][width], the BiLSTM's input
  float* states[2];    // [steps][D]; layers write to one and read the other
  DirectionScratch direction[2];
};

// Forward and backward, speech and text.
constexpr std::int64_t kDirections = 4;

class UtteranceRun {
 public:
  UtteranceRun(const Network& network, const EngineKernels& kernels, StageClock& clock)
      : network_(network), kernels_(kernels), clock_(clock) {}

  // The whole utterance on the calling thread; false where the network's values are not finite.
  bool run(const EngineInput& input, const EngineOutput& output);

  // The same in pieces. begin(); then encode(0) and encode(1) in any order or at once; then for
  // each layer recur(layer, 0 .. kDirections - 1) in any order or at once; then finish().
  void begin(const EngineInput& input, const EngineOutput& output);
  void encode(std::int64_t modality);
  void recur(std::int64_t layer, std::int64_t job);
  bool finish();

 private:
  void lay_out(Arena& arena);
  void lay_out(Arena& arena, Modality& m, const BiLstm& lstm, std::int64_t width);
  void encode_speech();
  void encode_text();
  void look_up_words();
  void align();
  const float* fuse();
  void gated_pair(const GatedPairWeights& w, const float* pair, float* gate);
  const float* outer_product();
  bool classify(const float* h);

  const Network& network_;
  const EngineKernels& kernels_;
  StageClock& clock_;
  Arena arena_;
  EngineInput in_ = {};
  EngineOutput out_ = {};
  std::int64_t frames_ = 0, words_ = 0;  // padded up to the receptive field; at least one
  Modality speech_ = {}, text_ = {};
  float* convolved_[2] = {};  // convolutions read one and write the other
  ProductScratch convolution_ = {};
  const float** tap_rows_ = nullptr;  // [words + 2 reach]
  float *tap_memory_ = nullptr, *word_vectors_ = nullptr;
  float* vectors_ = nullptr;  // a_s, a_t, h_s, h_t, [D] each
  float *h_ = nullptr, *projections_ = nullptr, *gates_[2] = {}, *hidden_ = nullptr;
  float *logits_ = nullptr, *alignment_ = nullptr, *weights_ = nullptr;
};

}  // namespace gban
