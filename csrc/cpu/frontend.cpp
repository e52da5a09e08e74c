#include "gban/frontend.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "dispatch.h"
#include "frontend_plan.h"

namespace gban {

GBAN_DECLARE_KERNELS(FrontendKernels, frontend_kernels)

namespace {

constexpr double kPi = 3.14159265358979323846;

// tan x as what makes up exactly for the rounding of cos x, near a quarter turn too
double tangent(double x) { return std::sin(x) / std::cos(x); }

void plan_turns(FrontendPlan& plan) {
  for (int m = 0; m < 64; ++m) {
    const double angle = 2 * kPi * m / 256;
    plan.turns[m] = {std::cos(angle),    std::sin(angle),     std::cos(2 * angle),
                     tangent(2 * angle), std::cos(3 * angle), std::sin(3 * angle)};
  }
  for (int k = 0; k <= 128; ++k) {
    plan.real_tan[k] = tangent(2 * kPi * k / 512);
    plan.real_cos[k] = std::cos(2 * kPi * k / 512);
  }
}

// Slaney's scale: linear (200/3 Hz a mel) below 1 kHz, logarithmic (27 mel a factor 6.4) above.
constexpr double kTopHz = 6500.0, kLinearHz = 200.0 / 3.0, kBreakHz = 1000.0;
constexpr double kBreakMel = kBreakHz / kLinearHz;
double log_step() { return std::log(6.4) / 27.0; }

double mel_to_hz(double mel) {
  return mel < kBreakMel ? mel * kLinearHz : kBreakHz * std::exp(log_step() * (mel - kBreakMel));
}

// Slaney's mel filters, 0-6500 Hz, each of unit area (Slaney 1998).
void plan_mel(FrontendPlan& plan) {
  double hz[kMels + 2];
  const double top = kBreakMel + std::log(kTopHz / kBreakHz) / log_step();
  for (int m = 0; m < kMels + 2; ++m) hz[m] = mel_to_hz(top * m / (kMels + 1));
  constexpr double kBinHz = static_cast<double>(kSampleRate) / kFft;
  for (int m = 0; m < kMels + 2; ++m)
    plan.mel_edges[m] = static_cast<int>(std::ceil(hz[m] / kBinHz));
  for (int m = 0; m < kMels + 1; ++m) {
    for (int bin = plan.mel_edges[m]; bin < plan.mel_edges[m + 1]; ++bin) {
      const double along = (bin * kBinHz - hz[m]) / (hz[m + 1] - hz[m]);
      if (m < kMels) plan.rising[bin] = along * 2 / (hz[m + 2] - hz[m]);
      if (m > 0) plan.falling[bin] = (1 - along) * 2 / (hz[m + 1] - hz[m - 1]);
    }
  }
}

FrontendPlan make_plan() {
  FrontendPlan plan{};
  for (int n = 0; n < kWindow; ++n)
    plan.window[n] = 0.5 * (0.54 - 0.46 * std::cos(2 * kPi * n / kWindow));
  plan_turns(plan);
  plan_mel(plan);
  for (int k = 0; k < kMfccs; ++k)
    for (int n = 0; n < kMels; ++n)
      plan.dct[k][n] = 10 / std::log(10.0) * std::sqrt((k == 0 ? 1.0 : 2.0) / kMels) *
                       std::cos(kPi * k * (2 * n + 1) / (2 * kMels));
  return plan;
}

bool finite(const float* pcm, std::int64_t count) {
  return frontend_kernels().finite_floats(pcm, count);
}
bool finite(const double* pcm, std::int64_t count) {
  return frontend_kernels().finite_doubles(pcm, count);
}

void widen(const float* pcm, std::int64_t count, double* out) {
  frontend_kernels().widen(pcm, count, out);
}
void widen(const double* pcm, std::int64_t count, double* out) { std::copy(pcm, pcm + count, out); }

// pcm [count] begins at sample `first` of the utterance.
template <typename T>
void check_finite(const T* pcm, std::int64_t count, std::int64_t first) {
  if (finite(pcm, count)) return;
  const T* bad = std::find_if(pcm, pcm + count, [](T x) { return !std::isfinite(x); });
  throw std::invalid_argument(std::string("pcm must be finite, got ") +
                              (std::isnan(*bad) ? "nan"
                               : *bad < 0       ? "-inf"
                                                : "inf") +
                              " at sample " + std::to_string(first + (bad - pcm)));
}

}  // namespace

const FrontendPlan& frontend_plan() {
  static const FrontendPlan plan = make_plan();
  return plan;
}

const FrontendKernels& frontend_kernels(){GBAN_CHOOSE_KERNELS(frontend_kernels, avx512)}

std::int64_t frame_count(std::int64_t samples) {
  samples = std::min(samples, kMaxSamples);
  return samples < kFft ? 0 : 1 + (samples - kFft) / kHop;
}

template <typename T>
void Frontend::Work::push(const T* pcm, std::int64_t count, float* features) {
  mfcc.resize((frame_count(samples + count) + 2 * kDeltaHalf) * kMfccs);
  samples += count;
  while (count > 0) {
    const std::int64_t taken = std::min(count, kGroupSamples - held_samples);
    widen(pcm, taken, held + held_samples);
    held_samples += taken;
    pcm += taken;
    count -= taken;
    if (held_samples == kGroupSamples) compute(kFrameGroup, features);
  }
}

// The first `frames` of the frames in held, and the sound that no later frame needs forgotten.
void Frontend::Work::compute(std::int64_t frames, float* features) {
  frontend_kernels().frames(frontend_plan(), held, frames, features + done * kFeatures,
                            mfcc.data() + (kDeltaHalf + done) * kMfccs);
  done += frames;
  std::copy(held + frames * kHop, held + held_samples, held);
  held_samples -= frames * kHop;
}

void Frontend::Work::finish(float* features) {
  if (frame_count(samples) > done) compute(frame_count(samples) - done, features);
  if (done == 0) return;
  double* const first = mfcc.data() + kDeltaHalf * kMfccs;
  double* const end = first + done * kMfccs;
  for (int i = 1; i <= kDeltaHalf; ++i) {
    std::copy(first, first + kMfccs, first - i * kMfccs);
    std::copy(end - kMfccs, end, end + (i - 1) * kMfccs);
  }
  frontend_kernels().deltas(mfcc.data(), done, features);
}

template <typename T>
void Frontend::push_any(const T* pcm, std::int64_t samples) {
  samples = std::min(samples, kMaxSamples - work_.samples);
  check_finite(pcm, samples, work_.samples);
  features_.resize(frame_count(work_.samples + samples) * kFeatures);
  work_.push(pcm, samples, features_.data());
}

void Frontend::push(const float* pcm, std::int64_t samples) { push_any(pcm, samples); }
void Frontend::push(const double* pcm, std::int64_t samples) { push_any(pcm, samples); }

void Frontend::Work::reset() {
  held_samples = samples = done = 0;
  mfcc.clear();
}

std::vector<float> Frontend::finish() {
  std::vector<float> features;
  finish(features);
  return features;
}

void Frontend::finish(std::vector<float>& features) {
  work_.finish(features_.data());
  features.swap(features_);
  discard();
}

void Frontend::discard() {
  features_.clear();
  work_.reset();
}

template <typename T>
void Frontend::extract(const T* pcm, std::int64_t samples, float* features) {
  samples = std::min(samples, kMaxSamples);
  check_finite(pcm, samples, 0);
  Work work;
  work.push(pcm, samples, features);
  work.finish(features);
}

void extract_features(const float* pcm, std::int64_t samples, float* features) {
  Frontend::extract(pcm, samples, features);
}
void extract_features(const double* pcm, std::int64_t samples, float* features) {
  Frontend::extract(pcm, samples, features);
}

}  // namespace gban
