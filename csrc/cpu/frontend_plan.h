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

// One, two and three turns exp(-i angle). That by 2 angle is cos (1 - i tan), so that the cosine
// can join an addition. A quarter turn does no harm: its cosine and tangent in doubles multiply
// to 1.
struct Turns {
  double cos1, sin1, cos2, tan2, cos3, sin3;
};

struct FrontendPlan {
  double window[kWindow];               // periodic Hamming, halved: see fft512.h
  Turns turns[64];                      // turn m by 2 pi m / 256
  double real_tan[129], real_cos[129];  // of 2 pi k / 512
  // The mel triangles' edges part the spectrum into kMels + 1 spans, span m being the bins from
  // mel_edges[m] to mel_edges[m + 1]: there triangle m rises and triangle m - 1 falls.
  int mel_edges[kMels + 2];
  double rising[kBins], falling[kBins];
  double dct[kMfccs][kMels];  // orthonormal DCT-II, from ln to decibels included
};

const FrontendPlan& frontend_plan();

struct FrontendKernels {
  int lanes;  // frames a vector holds, a divisor of kFrameGroup
  bool (*finite_floats)(const float* pcm, std::int64_t count);
  bool (*finite_doubles)(const double* pcm, std::int64_t count);
  void (*widen)(const float* pcm, std::int64_t count, double* out);
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
