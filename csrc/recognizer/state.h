// What stands behind a Recognizer and an Utterance.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backend.h"
#include "gban/recognizer.h"
#include "gban/resample.h"
#include "gban/text.h"

namespace gban {

using Clock = std::chrono::steady_clock;
inline double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Read by every thread that recognises; `idle` alone changes.
struct Recognizer::State {
  State(const Model& model, const RecognizerOptions& options);

  // An utterance without sound for recognize(), which hands it back when it is done.
  std::unique_ptr<Utterance::State> take(int rate);
  void give_back(std::unique_ptr<Utterance::State> utterance) noexcept;

  const Config config;
  const std::vector<std::string> labels;
  const Vocabulary vocabulary;
  const NetworkBackend network;
  const double abstain_below;

  std::mutex mutex;
  std::vector<std::unique_ptr<Utterance::State>> idle;
};

// Sound on its way to features. Knows nothing of the network.
class Ear {
 public:
  explicit Ear(int rate);

  template <typename T>
  void push(const T* pcm, std::int64_t samples);
  // The features [N, 52] of the utterance, which ends here; returns the seconds of work it took.
  double finish(std::vector<float>& features);
  void discard();

  int rate() const { return rate_; }
  std::int64_t pushed() const { return pushed_; }
  std::int64_t heard() const { return pushed_ < limit_ ? pushed_ : limit_; }

 private:
  void hear(const float* pcm, std::int64_t samples);
  void hear(const std::int16_t* pcm, std::int64_t samples);
  void take(const float* pcm, std::int64_t samples);

  int rate_;
  std::int64_t limit_;       // samples of 7.5 s
  std::int64_t pushed_ = 0;  // those that are cut included
  double work_seconds_ = 0;
  std::optional<Resampler> resampler_;  // none at 16 kHz
  std::vector<float> resampled_, converted_;
  Frontend frontend_;
};

struct Utterance::State {
  explicit State(int rate) : ear(rate) {}

  void finish(const Recognizer::State& owner, const std::string& words, Result& result);

  std::shared_ptr<const Recognizer::State> owner;  // empty where the owner holds this
  Ear ear;
  std::vector<float> features;  // [N, 52]
  std::vector<std::int32_t> ids;
  std::vector<float> aligned_gate, last_gate, alpha;
};

}  // namespace gban
