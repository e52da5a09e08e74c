// What frontend.cpp and frontend_simd.cpp share: the tables, and the kernels of one instruction
// set.
#pragma once

#include <cstdint>

#include "gban/frontend.h"

namespace gban {

constexpr int kTopBin = 208;  // 6500 Hz; no filter looks further up
constexpr int kBins = kTopBin + 1;
constexpr int kWindowStart = (kFft - kWindow) / 2;  // zeros before the window in a frame
constexpr int kDeltaHalf = 4;                       // a delta looks at 4 frames on either side

struct Rotation {
  double cos, sin;  // of the angle of exp(-i angle)
};
struct Turn {
  double cos, tan;  // the same, for where multiply and add are one
};

struct FrontendPlan {
  double window[kWindow];    // periodic Hamming, halved: see fft512.h
  Rotation twiddle[16][16];  // angle 2 pi k n / 256
  Turn real_turn[129];       // angle 2 pi k / 512
  // The mel triangles' edges part the spectrum into kMels + 1 spans, span m being the bins from
  // mel_edges[m] to mel_edges[m + 1]: there triangle m rises and triangle m - 1 falls.
  int mel_edges[kMels + 2];
  double rising[kBins], falling[kBins];
  double dct[kMfccs][kMels];  // orthonormal DCT-II, from ln to decibels included
};

const FrontendPlan& frontend_plan();

struct FrontendKernels {
  int lanes;  // frames a vector holds, a divisor of kFrameGroup
  // pcm [(lanes - 1) * 160 + 512] -> power [209, lanes] of `lanes` windowed frames
  void (*power)(const FrontendPlan& plan, const double* pcm, double* power);
  // pcm [kGroupSamples] -> the first `frames` rows of features [frames, 52], columns 0-38, and of
  // mfcc [frames, 13]. Every sample must be finite; those beyond the frames have no influence.
  void (*frames)(const FrontendPlan& plan, const double* pcm, std::int64_t frames, float* features,
                 double* mfcc);
  // mfcc [4 + frames + 4, 13] -> columns 39-51 of features [frames, 52]
  void (*deltas)(const double* mfcc, std::int64_t frames, float* features);
};

// Those of current_isa().
const FrontendKernels& frontend_kernels();

}  // namespace gban
