#include <cfloat>

#include "fft512.h"
#include "frontend_plan.h"
#include "ln.h"
#include "simd.h"

namespace gban::GBAN_ISA {
namespace {

// Whether every one of pcm [count] is at most `largest`, which neither NaN nor infinity is. It
// looks at all of them, so that the loop becomes vectors.
template <typename T>
GBAN_INLINE bool bounded(const T* pcm, std::int64_t count, T largest) {
  int bad = 0;
  for (std::int64_t i = 0; i < count; ++i) bad |= !((pcm[i] < 0 ? -pcm[i] : pcm[i]) <= largest);
  return bad == 0;
}

bool finite_floats(const float* pcm, std::int64_t count) { return bounded(pcm, count, FLT_MAX); }

bool finite_doubles(const double* pcm, std::int64_t count) { return bounded(pcm, count, DBL_MAX); }

void widen(const float* pcm, std::int64_t count, double* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = pcm[i];
}

// pcm [(lanes - 1) * 160 + 512] -> samples [160, kBlocks], where the lanes of a sample are
// neighbours: frame f + 1 has the sound of frame f one block later.
void lay_out(const double* pcm, double (*samples)[kBlocks]) {
  pcm += kWindowStart;
  constexpr int kLast = kWindow % kHop;  // of the last block the windows reach this far
  for (int i = 0; i < kLast; ++i)
    for (int block = 0; block < kBlocks; ++block) samples[i][block] = pcm[i + block * kHop];
  for (int i = kLast; i < kHop; ++i)
    for (int block = 0; block < kBlocks - 1; ++block) samples[i][block] = pcm[i + block * kHop];
}

// power [209] -> ln(mel + 1e-10) [26]
void log_mels(const FrontendPlan& plan, const Doubles* power, Doubles* log_mel) {
  Doubles fallen[kMels + 1];  // of span m, by triangle m - 1; the risen half waits in log_mel
  for (int m = 0; m < kMels + 1; ++m) {
    Doubles rise = {}, fall = {};
    for (int bin = plan.mel_edges[m]; bin < plan.mel_edges[m + 1]; ++bin) {
      rise += power[bin] * all(plan.rising[bin]);
      fall += power[bin] * all(plan.falling[bin]);
    }
    fallen[m] = fall;
    if (m < kMels) log_mel[m] = rise;
  }
  for (int m = 0; m < kMels; ++m) log_mel[m] = ln(log_mel[m] + fallen[m + 1] + 1e-10);
}

// log_mel [26] -> mfcc [13]. Row k of the basis is even or odd about its middle, as k is.
void mfccs(const FrontendPlan& plan, const Doubles* log_mel, Doubles* mfcc) {
  Doubles sum[kMels / 2], difference[kMels / 2];
  for (int n = 0; n < kMels / 2; ++n) {
    sum[n] = log_mel[n] + log_mel[kMels - 1 - n];
    difference[n] = log_mel[n] - log_mel[kMels - 1 - n];
  }
  for (int k = 0; k < kMfccs; ++k) {
    const Doubles* half = k % 2 == 0 ? sum : difference;
    mfcc[k] = half[0] * all(plan.dct[k][0]);
    for (int n = 1; n < kMels / 2; ++n) mfcc[k] += half[n] * all(plan.dct[k][n]);
  }
}

// `frames` of the lanes of both [39], log-mel and MFCC, into rows of features and mfcc
void put(const Doubles* both, std::int64_t frames, float* features, double* mfcc) {
  const double* const values = reinterpret_cast<const double*>(both);  // [39, lanes]
  for (std::int64_t f = 0; f < frames; ++f) {
    for (int i = 0; i < kMels + kMfccs; ++i)
      features[f * kFeatures + i] = static_cast<float>(values[i * kDoubles + f]);
    for (int k = 0; k < kMfccs; ++k) mfcc[f * kMfccs + k] = values[(kMels + k) * kDoubles + f];
  }
}

void power(const FrontendPlan& plan, const double* pcm, double* out) {
  double samples[kHop][kBlocks];
  Doubles power[kBins];
  lay_out(pcm, samples);
  power_spectrum(plan, samples, power);
  std::memcpy(out, power, sizeof power);
}

void frames(const FrontendPlan& plan, const double* pcm, std::int64_t frames, float* features,
            double* mfcc) {
  double samples[kHop][kBlocks];
  Doubles power[kBins], both[kMels + kMfccs];
  for (std::int64_t first = 0; first < frames; first += kDoubles) {
    lay_out(pcm + first * kHop, samples);
    power_spectrum(plan, samples, power);
    log_mels(plan, power, both);
    mfccs(plan, both, both + kMels);
    const std::int64_t here = frames - first < kDoubles ? frames - first : kDoubles;
    put(both, here, features + first * kFeatures, mfcc + first * kMfccs);
  }
}

// The slope of a line fitted to 9 frames (Savitzky-Golay, order 1): sum of i x[i] / sum of i^2.
void deltas(const double* mfcc, std::int64_t frames, float* features) {
  for (std::int64_t f = 0; f < frames; ++f) {
    const double* const here = mfcc + (f + kDeltaHalf) * kMfccs;
    float* const out = features + f * kFeatures + kMels + kMfccs;
    for (int k = 0; k < kMfccs; ++k) {
      double sum = 0;
      for (int i = 1; i <= kDeltaHalf; ++i)
        sum += i * (here[k + i * kMfccs] - here[k - i * kMfccs]);
      out[k] = static_cast<float>(sum / 60.0);
    }
  }
}

}  // namespace

extern const FrontendKernels frontend_kernels;
const FrontendKernels frontend_kernels{kDoubles, finite_floats, finite_doubles, widen,
                                       power,    frames,        deltas};

}  // namespace gban::GBAN_ISA
