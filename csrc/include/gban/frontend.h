// The speech frontend: 16 kHz PCM to [N, 52] frames, all at once or as the sound arrives.
//
// gban_edge/features.py is the readable form of the same definition. Both ways in give the same
// bits, however the sound is cut into pushes, as long as the instruction set stays the same.
#pragma once

#include <cstdint>
#include <vector>

namespace gban {

constexpr int kSampleRate = 16000;
constexpr std::int64_t kMaxSamples = 120000;  // 7.5 s; what lies beyond is not looked at
constexpr int kFft = 512;
constexpr int kWindow = 400;
constexpr int kHop = 160;
constexpr int kMels = 26;
constexpr int kMfccs = 13;
constexpr int kFeatures = kMels + 2 * kMfccs;  // log-mel 0-25, MFCC 26-38, deltas 39-51

// Frames that are computed together; the fastest instruction set has a lane for each.
constexpr int kFrameGroup = 8;
constexpr int kGroupSamples = (kFrameGroup - 1) * kHop + kFft;

// N = 1 + (samples - 512) / 160, 0 below 512 samples, the cut at 7.5 s included.
std::int64_t frame_count(std::int64_t samples);

// One whole utterance, pcm [samples], into features [frame_count(samples), 52]. Throws
// std::invalid_argument, before anything is written, for a sample that is not finite.
void extract_features(const float* pcm, std::int64_t samples, float* features);
void extract_features(const double* pcm, std::int64_t samples, float* features);

// One utterance after the other, each in as many pushes as one likes. Frames are computed as their
// sound arrives, so that finish() has at most seven of them and the deltas left to do.
// Not for two threads at once.
class Frontend {
 public:
  // Takes pcm [samples]. Throws std::invalid_argument naming the first sample of the utterance that
  // is not finite, and then has taken nothing of this push.
  void push(const float* pcm, std::int64_t samples);
  void push(const double* pcm, std::int64_t samples);

  // The features [frames(), 52] of the utterance, which ends here: the next push begins another.
  std::vector<float> finish();
  // The same into `features`, whose old memory serves the next utterance: nothing is allocated once
  // an utterance of that length has been through both.
  void finish(std::vector<float>& features);

  // Forgets the utterance.
  void discard();

  std::int64_t samples() const { return work_.samples; }  // taken so far, at most kMaxSamples
  std::int64_t frames() const { return frame_count(work_.samples); }

 private:
  friend void extract_features(const float*, std::int64_t, float*);
  friend void extract_features(const double*, std::int64_t, float*);

  // An utterance in the making; where its features stand is the caller's business.
  struct Work {
    double held[kGroupSamples] = {};  // sound from the first frame that is not computed on
    std::int64_t held_samples = 0;
    std::int64_t samples = 0;
    std::int64_t done = 0;     // frames with log-mel and MFCC
    std::vector<double> mfcc;  // [4 + frames + 4, 13]: the deltas repeat the edge frames

    // features [N, 52] has room for every frame that is whole after this push.
    template <typename T>
    void push(const T* pcm, std::int64_t count, float* features);
    void finish(float* features);
    void reset();
    void compute(std::int64_t frames, float* features);
  };

  template <typename T>
  void push_any(const T* pcm, std::int64_t samples);
  template <typename T>
  static void extract(const T* pcm, std::int64_t samples, float* features);

  Work work_;
  std::vector<float> features_;  // [frames(), 52]
};

}  // namespace gban
