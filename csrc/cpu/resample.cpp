#include "gban/resample.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "gban/frontend.h"

namespace gban {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kStopBand = 90;  // dB
constexpr double kTransition =
    1.0 / 4;  // of the lower Nyquist frequency, half of it on either side
constexpr std::int64_t kMostPhases =
    1024;                              // beyond them rows are interpolated: error below -120 dB
constexpr std::int64_t kPiece = 4096;  // input samples that are worked on at once
constexpr std::int64_t kLanes = 8;

// I_0, the modified Bessel function of order 0, by its power series.
double bessel(double x) {
  double sum = 1, term = 1;
  for (int k = 1; term > 1e-18 * sum; ++k) {
    term *= (x / (2 * k)) * (x / (2 * k));
    sum += term;
  }
  return sum;
}

// Kaiser's formulas (Kaiser 1974; Oppenheim and Schafer, section 7.5.3) for kStopBand.
const double kBeta = 0.1102 * (kStopBand - 8.7);

std::int64_t half_width(double nyquist) {  // in cycles a sample
  const double taps = (kStopBand - 7.95) / (2.285 * 2 * kPi * nyquist * kTransition) + 1;
  const auto half = static_cast<std::int64_t>(std::ceil(taps / 2));
  return (half + kLanes / 2 - 1) / (kLanes / 2) * (kLanes / 2);
}

// The filter at `distance` input samples from its centre, up to a factor.
double filter(double distance, double nyquist, double half) {
  const double along = distance / half, angle = 2 * kPi * nyquist * distance;
  if (std::fabs(along) > 1) return 0;
  return (angle == 0 ? 1 : std::sin(angle) / angle) * bessel(kBeta * std::sqrt(1 - along * along));
}

// Row p [2 half] has the filter for a sample p / phases behind an input sample, and sums to 1.
std::vector<float> filter_table(std::int64_t phases, std::int64_t half, double nyquist) {
  const std::int64_t taps = 2 * half;
  std::vector<float> table(static_cast<std::size_t>((phases + 1) * taps));
  std::vector<double> row(static_cast<std::size_t>(taps));
  for (std::int64_t p = 0; 2 * p <= phases; ++p) {
    for (std::int64_t j = 0; j < taps; ++j)
      row[j] = filter(static_cast<double>(j - half + 1) - static_cast<double>(p) / phases, nyquist,
                      static_cast<double>(half));
    const double sum = std::accumulate(row.begin(), row.end(), 0.0);
    for (std::int64_t j = 0; j < taps; ++j) {  // the filter is even, and so the rows mirror images
      const auto value = static_cast<float>(row[j] / sum);
      table[p * taps + j] = value;
      table[(phases - p) * taps + taps - 1 - j] = value;
    }
  }
  return table;
}

// In lanes of their own, so that the compiler may use vectors and the order is always the same.
float dot(const float* a, const float* b, std::int64_t n) {
  float sums[kLanes] = {};
  for (std::int64_t j = 0; j < n; j += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[j + lane] * b[j + lane];
  double sum = 0;
  for (float lane : sums) sum += lane;
  return static_cast<float>(sum);
}

}  // namespace

std::int64_t resampled_count(std::int64_t samples, int rate) {
  return (samples * kSampleRate + rate - 1) / rate;
}

Resampler::Resampler(int rate) : rate_(rate) {
  if (rate < kMinRate || rate > kMaxRate)
    throw std::invalid_argument("sample_rate must lie in " + std::to_string(kMinRate) + ".." +
                                std::to_string(kMaxRate) + ", got " + std::to_string(rate));
  const int common = std::gcd(rate, kSampleRate);
  up_ = kSampleRate / common;
  down_ = rate / common;
  const double nyquist = 0.5 * std::min(rate, kSampleRate) / rate;
  half_ = half_width(nyquist);
  phases_ = std::min(up_, kMostPhases);
  table_ = filter_table(phases_, half_, nyquist);
  held_.resize(static_cast<std::size_t>(2 * half_ + kPiece));
  reset();
}

void Resampler::reset() {
  held_samples_ = half_ - 1;  // the silence before the sound
  std::fill_n(held_.begin(), held_samples_, 0.0f);
  first_ = part_ = taken_ = made_ = 0;
}

float Resampler::next_sample() const {
  const std::int64_t taps = 2 * half_, place = part_ * phases_;
  const float* const from = held_.data() + first_;
  const float* const row = table_.data() + place / up_ * taps;
  const float sample = dot(from, row, taps);
  if (place % up_ == 0) return sample;
  const float along = static_cast<float>(place % up_) / static_cast<float>(up_);
  return sample + along * (dot(from, row + taps, taps) - sample);
}

// Takes pcm [samples], zeros where it is null, and makes output samples while they are fewer than
// `most` in all.
void Resampler::feed(const float* pcm, std::int64_t samples, std::int64_t most,
                     std::vector<float>& out) {
  while (samples > 0) {
    const std::int64_t room = static_cast<std::int64_t>(held_.size()) - held_samples_;
    const std::int64_t count = std::min(samples, room);
    float* const to = held_.data() + held_samples_;
    if (pcm) {
      std::copy_n(pcm, count, to);
      pcm += count;
    } else {
      std::fill_n(to, count, 0.0f);
    }
    held_samples_ += count;
    samples -= count;
    for (; first_ + 2 * half_ <= held_samples_ && made_ < most; ++made_) {
      out.push_back(next_sample());
      part_ += down_;
      first_ += part_ / up_;
      part_ %= up_;
    }
    const std::int64_t gone = std::min(first_, held_samples_);
    std::copy(held_.data() + gone, held_.data() + held_samples_, held_.data());
    held_samples_ -= gone;
    first_ -= gone;
  }
}

void Resampler::push(const float* pcm, std::int64_t samples, std::vector<float>& out) {
  taken_ += samples;
  feed(pcm, samples, std::numeric_limits<std::int64_t>::max(), out);
}

void Resampler::finish(std::vector<float>& out) {
  feed(nullptr, half_, resampled_count(taken_, rate_), out);
  reset();
}

std::vector<float> resample(const float* pcm, std::int64_t samples, int rate) {
  Resampler resampler(rate);
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(resampled_count(samples, rate)));
  resampler.push(pcm, samples, out);
  resampler.finish(out);
  return out;
}

}  // namespace gban
