// Sound of any rate and either number type, checked, cut at 7.5 s, resampled, made into features.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "../model/json.h"
#include "state.h"

namespace gban {
namespace {

constexpr float kLoudest = 8;          // sound that overshoots is met; 16-bit numbers are not sound
constexpr std::int64_t kPiece = 2048;  // 16-bit samples converted at once

[[noreturn]] void refuse(float bad, std::int64_t sample) {
  const std::string got =
      ", got " + json::repr(static_cast<double>(bad)) + " at sample " + std::to_string(sample);
  if (std::isfinite(bad))
    throw std::invalid_argument("pcm must be in [-1, 1]" + got +
                                "; divide 16-bit integers by 32768");
  throw std::invalid_argument("pcm must be finite" + got);
}

// pcm [samples] begins at sample `first` of the utterance.
void check(const float* pcm, std::int64_t samples, std::int64_t first) {
  bool good = true;  // without a way out of the loop, so that it becomes vectors
  for (std::int64_t i = 0; i < samples; ++i) good &= std::fabs(pcm[i]) <= kLoudest;
  if (good) return;
  const float* const bad =
      std::find_if(pcm, pcm + samples, [](float x) { return !(std::fabs(x) <= kLoudest); });
  refuse(*bad, first + (bad - pcm));
}

}  // namespace

Ear::Ear(int rate) : rate_(rate), limit_(kMaxSamples * rate / kSampleRate) {
  if (rate != kSampleRate) resampler_.emplace(rate);
}

// Of sound that check() has let through.
void Ear::take(const float* pcm, std::int64_t samples) {
  if (!resampler_) return frontend_.push(pcm, samples);
  resampled_.clear();
  resampler_->push(pcm, samples, resampled_);
  frontend_.push(resampled_.data(), static_cast<std::int64_t>(resampled_.size()));
}

void Ear::hear(const float* pcm, std::int64_t samples) {
  check(pcm, samples, pushed_);
  take(pcm, samples);
}

void Ear::hear(const std::int16_t* pcm, std::int64_t samples) {
  converted_.resize(kPiece);
  for (std::int64_t at = 0; at < samples; at += kPiece) {
    const std::int64_t count = std::min(kPiece, samples - at);
    std::transform(pcm + at, pcm + at + count, converted_.begin(),
                   [](std::int16_t x) { return static_cast<float>(x) / 32768; });
    take(converted_.data(), count);
  }
}

template <typename T>
void Ear::push(const T* pcm, std::int64_t samples) {
  if (samples < 0)
    throw std::invalid_argument("samples must be at least 0, got " + std::to_string(samples));
  if (samples > 0 && !pcm) throw std::invalid_argument("pcm must not be null");
  const auto begin = Clock::now();
  hear(pcm, std::min(samples, limit_ - heard()));
  pushed_ += samples;
  work_seconds_ += seconds_since(begin);
}
template void Ear::push(const float*, std::int64_t);
template void Ear::push(const std::int16_t*, std::int64_t);

double Ear::finish(std::vector<float>& features) {
  const auto begin = Clock::now();
  if (resampler_) {
    resampled_.clear();
    resampler_->finish(resampled_);
    frontend_.push(resampled_.data(), static_cast<std::int64_t>(resampled_.size()));
  }
  frontend_.finish(features);
  const double seconds = work_seconds_ + seconds_since(begin);
  discard();
  return seconds;
}

void Ear::discard() {
  if (resampler_) resampler_->reset();
  frontend_.discard();
  pushed_ = 0;
  work_seconds_ = 0;
}

}  // namespace gban
