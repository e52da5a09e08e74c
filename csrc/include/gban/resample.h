// Any sampling rate from 8 to 192 kHz to the frontend's 16 kHz, all at once or as the sound
// arrives.
//
// A windowed sinc (Kaiser's window, 90 dB) around each output sample. With f the lower of the two
// Nyquist frequencies (8 kHz from 16 kHz on): what lies below 7/8 f passes, within 0.01 dB; what
// lies above 9/8 f is down by 80 dB or more; half the amplitude is left at f itself.
#pragma once

#include <cstdint>
#include <vector>

namespace gban {

constexpr int kMinRate = 8000, kMaxRate = 192000;  // Hz

// ceil(samples * 16000 / rate), the length of what becomes of `samples` samples.
std::int64_t resampled_count(std::int64_t samples, int rate);

// One sound after the other, each in as many pushes as one likes: the result has the same bits as
// in one push. Output sample n is the sound at n / 16000 s; before its beginning and behind its end
// the sound is zero. NaN and infinities spread over the samples around them. Not for two threads at
// once; allocates nothing but where `out` grows.
class Resampler {
 public:
  // Throws std::invalid_argument for a rate outside 8000..192000.
  explicit Resampler(int rate);

  // Takes pcm [samples] and appends to `out` what it completes, up to some milliseconds behind.
  void push(const float* pcm, std::int64_t samples, std::vector<float>& out);
  // Appends the rest, so that resampled_count(samples(), rate()) have come out; the sound ends
  // here.
  void finish(std::vector<float>& out);
  // Forgets the sound.
  void reset();

  int rate() const { return rate_; }
  std::int64_t samples() const { return taken_; }  // of this sound so far

 private:
  void feed(const float* pcm, std::int64_t samples, std::int64_t most, std::vector<float>& out);
  float next_sample() const;

  int rate_;
  std::int64_t up_, down_;    // 16000 / rate in lowest terms
  std::int64_t half_;         // an output sample is a sum over half_ samples on either side of it
  std::int64_t phases_;       // places between two input samples that the table has
  std::vector<float> table_;  // [phases_ + 1, 2 half_]

  std::vector<float> held_;    // the newest input samples
  std::int64_t held_samples_;  // of them
  std::int64_t first_;         // the first that the next output sample needs, from held_ on
  std::int64_t part_;          // and its place between the two in the middle, in 1 / up_
  std::int64_t taken_, made_;  // input and output samples of this sound
};

// pcm [samples] -> [resampled_count(samples, rate)].
std::vector<float> resample(const float* pcm, std::int64_t samples, int rate);

}  // namespace gban
