// The network from features and word ids to probabilities on a GPU: one CUDA graph of four kernels
// an utterance, or a batch of up to 8. Only the network "gban", in fp32 or fp16.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "gban/engine.h"

namespace gban {

enum class CudaWait {
  spin,  // the calling thread watches memory: the shortest latency, one busy core
  block  // it sleeps until the GPU interrupts
};

struct CudaOptions {
  int device = 0;
  CudaWait wait = CudaWait::spin;
  // The most bytes for the table of all products of word vectors and filters: 9 * 128 values a word
  // at the authors' sizes. Where it does not suffice the convolutions over words are computed.
  std::size_t table_bytes = std::size_t{256} << 20;
};

// A loaded network. Calls may come from several threads; they take turns. Memory of the device is
// allocated once, by the constructor; a graph is captured by the first call of its length bucket.
class CudaEngine {
 public:
  // The longest utterance: 7.96 s; and kMaxWords, or fewer where a GPU has little shared memory.
  static constexpr std::int64_t kMaxFrames = 796;

  // The model is not needed afterwards. Throws std::invalid_argument for a network, a precision or
  // sizes that it does not run, and std::runtime_error, with CUDA's reason, where the device is
  // missing or has too little memory.
  CudaEngine(const Model& model, Precision precision, const CudaOptions& options = {});
  ~CudaEngine();
  CudaEngine(CudaEngine&&) noexcept;
  CudaEngine& operator=(CudaEngine&&) noexcept;

  // One utterance, or several. Throws std::invalid_argument, before anything is written, for a
  // feature that is not finite, an id that is not in the vocabulary or an utterance that is too
  // long; std::runtime_error where CUDA fails. Where the device was lost, every later call throws.
  void run(const EngineInput& input, const EngineOutput& output) const;
  void run(const EngineInput* inputs, const EngineOutput* outputs, std::int64_t count) const;

  // Captures the graph of utterances of up to so many frames and words beforehand, so that the
  // first call need not. Returns how many nodes, all of them kernels, it has.
  int prepare(std::int64_t frames, std::int64_t words, std::int64_t count = 1) const;

  Steps steps(const EngineInput& input) const;
  const Config& config() const;
  Precision precision() const;
  bool has_table() const;  // of the products of words and filters

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace gban
