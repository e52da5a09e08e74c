// What computes the network for a Recognizer: the CPU's engine or the GPU's.
#pragma once

#include <memory>
#include <string>

#include "gban/engine.h"
#include "gban/recognizer.h"

#ifdef GBAN_HAS_CUDA
#include "gban/engine_cuda.h"
#endif

namespace gban {

class NetworkBackend {
 public:
  // Throws as Recognizer::load says.
  NetworkBackend(const Model& model, const RecognizerOptions& options);

  // May be called by several threads at once.
  void run(const EngineInput& input, const EngineOutput& output) const;

  const std::string& name() const { return name_; }
  const std::string& reason() const { return reason_; }  // why the CPU was taken; or empty
  bool has_gates() const { return has_gates_; }
  bool has_alignment() const { return has_alignment_; }
  bool hears_words() const { return hears_words_; }  // words can change what it answers

 private:
  void open_cpu(const Model& model, const RecognizerOptions& options);
  std::string open_cuda(const Model& model, const RecognizerOptions& options);

  int threads_;
  std::unique_ptr<Engine> cpu_;
#ifdef GBAN_HAS_CUDA
  std::unique_ptr<CudaEngine> cuda_;
#endif
  bool has_gates_ = false, has_alignment_ = false, hears_words_;
  std::string name_, reason_;
};

}  // namespace gban
