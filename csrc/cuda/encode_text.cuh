// The words' half of encode.cuh: parallel convolutions 'same' of several widths over the word
// vectors (an even one has its extra zero behind), ReLU, MaxPool 2 that keeps an odd last word.
//
// At inference a word's vector is fixed, so that all its products with all taps of all filters can
// be made at load: table [V][taps][filters], the taps of all widths in a row. A convolution is
// then a sum of table rows, and a block computes one step. Where the table would be too large
// (gban/engine_cuda.h), a block computes kDirectSteps steps of 32 filters from the vectors.
#pragma once

#include "engine_io.h"
#include "tile.cuh"

namespace gban::cuda {

constexpr int kEncodeThreads = 384;
constexpr int kEncodeWarps = kEncodeThreads / 32;
constexpr int kMostBranches = 8;
constexpr int kMostWidth = 16;  // words that a filter may see
constexpr int kDirectSteps = 4;
constexpr int kTapLoads = 4;  // table rows of each of the two words under way in a thread
constexpr unsigned kAll = 0xFFFFFFFFu;

// Of two numbers, or NaN where one is: what has overflowed must show in the end.
__device__ inline float larger(float a, float b) { return a > b || a != a ? a : b; }

template <typename T>
struct TextParams {
  const int* words;   // [B][words_limit]
  const T* table;     // [V][taps][filters], or null: use the next two
  const T* vectors;   // [V][embedding]
  const T* weights;   // [taps][embedding][filters]
  const float* bias;  // [branches][filters]
  std::int64_t words_limit;
  int embedding, filters;  // filters of one branch
  int branches, taps;      // taps: the sum of the widths
  int width[kMostBranches];
  int first_tap[kMostBranches];

  __device__ int widest() const {
    int most = 0;
    for (int i = 0; i < branches; ++i) most = max(most, width[i]);
    return most;
  }
};

template <typename T>
struct TextBlock {
  const TextParams<T>& p;
  T* out;  // [L][branches * filters] of this utterance
  int thread, number, M, L;
  const int* words;

  __device__ TextBlock(const TextParams<T>& params, const Lengths& lengths, T* x_t, int text_limit,
                       int block)
      : p(params), number(block) {
    const int b = static_cast<int>(blockIdx.y);
    thread = static_cast<int>(threadIdx.x);
    M = lengths.words;
    L = lengths.text_steps;
    words = p.words + b * p.words_limit;
    out = x_t + static_cast<std::int64_t>(b) * text_limit * p.branches * p.filters;
  }

  __device__ void run() {
    if (p.table) {
      if (number < L) gather();
    } else {
      const int chunks = (p.filters + 31) / 32, units = chunks * p.branches;
      if (number / units * kDirectSteps < L)
        convolve(number / units * kDirectSteps, number % units / chunks, number % chunks * 32);
    }
  }

  // Step `number` of all filters, from the table.
  __device__ void gather() {
    int* near = reinterpret_cast<int*>(shared_memory());  // words around the step's two
    const int widest = p.widest(), start = 2 * number - (widest - 1) / 2;
    if (thread <= widest)
      near[thread] = start + thread >= 0 && start + thread < M ? words[start + thread] : -1;
    __syncthreads();
    const int all = p.branches * p.filters;
    for (int f = thread; f < all; f += kEncodeThreads) {
      const int branch = f / p.filters, width = p.width[branch];
      const T* rows =
          p.table + static_cast<std::int64_t>(p.first_tap[branch]) * p.filters + f % p.filters;
      const int* seen = near + (widest - 1) / 2 - (width - 1) / 2;
      float sums[2] = {p.bias[f], p.bias[f]};
      for (int tap = 0; tap < width; tap += kTapLoads) add_taps(sums, rows, seen, tap, width);
      if (2 * number + 1 >= M) sums[1] = 0.0f;
      out[static_cast<std::int64_t>(number) * all + f] =
          from_float<T>(larger(larger(sums[0], sums[1]), 0.0f));
    }
  }

  // Up to kTapLoads taps of both words: all their loads are under way together.
  __device__ void add_taps(float (&sums)[2], const T* rows, const int* seen, int first, int width) {
    T values[2][kTapLoads];
    GBAN_UNROLL
    for (int i = 0; i < 2 * kTapLoads; ++i) {
      const int tap = first + i % kTapLoads, word = tap < width ? seen[i / kTapLoads + tap] : -1;
      values[i / kTapLoads][i % kTapLoads] =
          word >= 0 ? rows[(static_cast<std::int64_t>(word) * p.taps + tap) * p.filters]
                    : from_float<T>(0.0f);
    }
    GBAN_UNROLL
    for (int i = 0; i < 2 * kTapLoads; ++i)
      sums[i / kTapLoads] += to_float(values[i / kTapLoads][i % kTapLoads]);
  }

  // Steps first .. first + kDirectSteps - 1 of the 32 filters of a branch from f0 on. The warps
  // share the channels.
  __device__ void convolve(int first, int branch, int f0) {
    constexpr int kWords = 2 * kDirectSteps;
    const int width = p.width[branch], E = p.embedding, rows = kWords + width - 1;
    const int start = 2 * first - (width - 1) / 2;
    float* near = reinterpret_cast<float*>(shared_memory());  // [rows][E]
    float* parts = near + round_up(rows * E, 4);              // [kEncodeWarps][kWords][32]
    for (int i = thread; i < rows * E; i += kEncodeThreads) {
      const int m = start + i / E;
      near[i] = m >= 0 && m < M
                    ? to_float(p.vectors[static_cast<std::int64_t>(words[m]) * E + i % E])
                    : 0.0f;
    }
    __syncthreads();
    const int lane = thread % 32, warp = thread / 32, f = min(f0 + lane, p.filters - 1);
    float sums[kWords] = {};
    for (int tap = 0; tap < width; ++tap)
      for (int c = warp; c < E; c += kEncodeWarps) {
        const std::int64_t row = static_cast<std::int64_t>(p.first_tap[branch] + tap) * E + c;
        const float w = to_float(p.weights[row * p.filters + f]);
        GBAN_UNROLL
        for (int n = 0; n < kWords; ++n) sums[n] += near[(n + tap) * E + c] * w;
      }
    GBAN_UNROLL
    for (int n = 0; n < kWords; ++n) parts[(warp * kWords + n) * 32 + lane] = sums[n];
    __syncthreads();
    if (warp < kDirectSteps && first + warp < L && f0 + lane < p.filters)
      pool(parts, first + warp, warp, branch * p.filters + f0 + lane, lane);
  }

  // Step `l`, the block's number `own`, of one filter, out of the warps' parts.
  __device__ void pool(const float* parts, int l, int own, int filter, int lane) {
    float best = 0.0f;
    for (int n = 0; n < 2 && 2 * l + n < M; ++n) {
      float sum = p.bias[filter];
      for (int warp = 0; warp < kEncodeWarps; ++warp)
        sum += parts[(warp * 2 * kDirectSteps + 2 * own + n) * 32 + lane];
      best = larger(best, sum);
    }
    out[static_cast<std::int64_t>(l) * p.branches * p.filters + filter] = from_float<T>(best);
  }
};

}  // namespace gban::cuda
