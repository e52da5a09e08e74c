// W_ih x_t + b_ih + b_hh of every step: the part of an LSTM that waits for nothing.
//
// One warp's work: the four gates of 8 hidden units over 16 time steps. Weights are the first
// factor, packed as fragments; the steps are the columns. Rows of x come straight from global
// memory, since each is used by few warps of a block. The result lies [B, K, H, 4], a unit's gates
// side by side, as the recurrence reads it.
#pragma once

#include "bilstm_plan.h"
#include "tile.cuh"

namespace gban::cuda {

constexpr int kColumnTiles = kProjectColumns / 8;

// Where the device reads an utterance's length; `bad` where it is out of range, and then it is 1.
struct Length {
  int steps;
  bool bad;
};

template <typename T>
__device__ inline Length length_of(const BiLstmSequence<T>& s, std::int64_t b) {
  std::int64_t n = s.steps;
  if (s.lengths)
    n = s.length_bytes == 4 ? static_cast<const std::int32_t*>(s.lengths)[b]
                            : static_cast<const std::int64_t*>(s.lengths)[b];
  const bool bad = n < 1 || n > s.steps;
  return {bad ? 1 : static_cast<int>(n), bad};
}

// The lane's rows of the input, one a column tile; null: none, zeros.
template <typename T>
struct InputRows {
  const T* row[kColumnTiles];

  __device__ InputRows(const Rows<const T>& x, std::int64_t b, int first, int steps) {
    GBAN_UNROLL
    for (int n = 0; n < kColumnTiles; ++n) {
      const int step = first + 8 * n + static_cast<int>(threadIdx.x) % 32 / 4;
      row[n] = step < steps ? x.at(b) + step * x.row_stride : nullptr;
    }
  }
};

// The lane's parts of the two products: rows i and f, then g and o.
struct ProjectSums {
  float of[2][kColumnTiles][4];

  __device__ void clear() {
    GBAN_UNROLL
    for (int m = 0; m < 2; ++m)
      for (int n = 0; n < kColumnTiles; ++n)
        for (int i = 0; i < 4; ++i) of[m][n][i] = 0.0f;
  }
  __device__ void add(const ProjectSums& other) {
    GBAN_UNROLL
    for (int m = 0; m < 2; ++m)
      for (int n = 0; n < kColumnTiles; ++n)
        for (int i = 0; i < 4; ++i) of[m][n][i] += other.of[m][n][i];
  }
};

// One step of 16 inputs from k on. `weights`: this lane's first piece of the step.
__device__ inline void project_step(ProjectSums& sums, const uint4* weights,
                                    const InputRows<Half>& x, int k, int width) {
  const uint4 first = weights[0], second = weights[32];
  const std::uint32_t a[2][4] = {{first.x, first.y, first.z, first.w},
                                 {second.x, second.y, second.z, second.w}};
  const int low = k + 2 * (static_cast<int>(threadIdx.x) % 4), high = low + 8;
  GBAN_UNROLL
  for (int n = 0; n < kColumnTiles; ++n) {
    const auto pair = [&](int at) {
      return x.row[n] && at < width ? *reinterpret_cast<const std::uint32_t*>(x.row[n] + at) : 0u;
    };
    const std::uint32_t b[2] = {pair(low), pair(high)};
    mma_m16n8k16(sums.of[0][n], a[0], b, Half{});
    mma_m16n8k16(sums.of[1][n], a[1], b, Half{});
  }
}

__device__ inline void project_step(ProjectSums& sums, const uint4* weights,
                                    const InputRows<float>& x, int k, int width) {
  GBAN_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int low = k + 8 * half + static_cast<int>(threadIdx.x) % 4, high = low + 4;
    Split b[kColumnTiles][2];
    GBAN_UNROLL
    for (int n = 0; n < kColumnTiles; ++n) {
      b[n][0] = split(x.row[n] && low < width ? x.row[n][low] : 0.0f);
      b[n][1] = split(x.row[n] && high < width ? x.row[n][high] : 0.0f);
    }
    GBAN_UNROLL
    for (int m = 0; m < 2; ++m) {
      const uint4 w = weights[32 * (2 * half + m)];
      const Split a[4] = {split(bits_float(w.x)), split(bits_float(w.y)), split(bits_float(w.z)),
                          split(bits_float(w.w))};
      GBAN_UNROLL
      for (int n = 0; n < kColumnTiles; ++n) mma_split(sums.of[m][n], a, b[n]);
    }
  }
}

// Steps first, first + stride, ... of one warp's work, the loads of `Ahead` of them under way
// together. Tensor cores truncate when they add, so every few steps (in float every step) begin
// from zero and are added to the total in rounded fp32, as in tile.cuh.
template <int Ahead, typename T>
__device__ inline void project_warp(ProjectSums& total, const unsigned char* weights,
                                    const InputRows<T>& x, int width, int first, int stride) {
  const int steps = static_cast<int>(project_steps(width));
  const uint4* pieces =
      reinterpret_cast<const uint4*>(weights) + static_cast<int>(threadIdx.x) % 32;
  total.clear();
  for (int step = first; step < steps;) {
    ProjectSums sums;
    sums.clear();
    GBAN_UNROLL
    for (int i = 0; i < Ahead; ++i, step += stride) {
      if (step < steps)
        project_step(sums, pieces + step * (32 * kProjectPieces<T>), x, step * kProjectDepth,
                     width);
      if (sizeof(T) == 2 && i + 1 < Ahead) continue;
      total.add(sums);
      sums.clear();
    }
  }
}

// Where one warp's work lies.
template <typename T>
struct ProjectWork {
  const unsigned char* weights;  // fragments of its direction and group of units
  const float* bias;             // [8, 4] of its units
  float* out;                    // [K, H, 4] of its utterance and direction, from its first unit on

  __device__ ProjectWork(const BiLstmSequence<T>& s, float* projected, std::int64_t batch, int H,
                         std::int64_t layer, int dir, std::int64_t b, int group) {
    const std::int64_t width = layer ? 2 * H : s.width;
    const PackedLayer at = packed_layer_at(sizeof(T), s.width, H, layer);
    const auto* packed = static_cast<const unsigned char*>(s.weights);
    const std::int64_t groups = H / kGroupUnits;
    weights = packed + at.project +
              (dir * groups + group) * project_steps(width) * (512 * kProjectPieces<T>);
    bias = reinterpret_cast<const float*>(packed + at.bias) + 4 * (dir * H + group * kGroupUnits);
    out = projected + (dir * batch + b) * s.steps * 4 * H + 4 * group * kGroupUnits;
  }

  // The four gates of the lane's unit at one step; `part` is that column's sums without bias.
  __device__ void store(int H, int step, const float (&part)[4]) const {
    const int unit = static_cast<int>(threadIdx.x) % 32 / 4;
    const float4 c = reinterpret_cast<const float4*>(bias)[unit];
    reinterpret_cast<float4*>(out + static_cast<std::int64_t>(step) * 4 * H)[unit] =
        make_float4(part[0] + c.x, part[1] + c.y, part[2] + c.z, part[3] + c.w);
  }
};

template <typename T>
struct ProjectParams {
  BiLstm<T> a;
  float* projected[kMaxSequences];
  int first_of_second;  // block: where the second sequence's begin
};

// A block is one warp's work, its inputs divided over four warps so that the loads of a step, all
// from far away, are under way together.
template <typename T>
__global__ void __launch_bounds__(kProjectThreads) lstm_project(ProjectParams<T> p) {
  constexpr int kParts = kProjectThreads / 32;
  static_assert(kParts == 2 * kColumnTiles, "each warp adds up one column of a lane's four");
  float* parts = reinterpret_cast<float*>(shared_memory());  // [4 warps][16 sums][32 lanes]
  const int H = static_cast<int>(p.a.hidden), groups = H / kGroupUnits;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const bool second = static_cast<int>(blockIdx.x) >= p.first_of_second;
  const BiLstmSequence<T>& s = p.a.sequences[second];
  int rest = static_cast<int>(blockIdx.x) - (second ? p.first_of_second : 0);
  const int group = rest % groups, dir = rest / groups % 2;
  rest /= 2 * groups;
  const int tiles = static_cast<int>((s.steps + kProjectColumns - 1) / kProjectColumns);
  const int first = rest % tiles * kProjectColumns;
  const std::int64_t b = rest / tiles;
  const int steps = length_of(s, b).steps;
  if (first >= steps) return;

  const ProjectWork<T> work(s, p.projected[second], p.a.batch, H, 0, dir, b, group);
  ProjectSums sums;
  project_warp<4>(sums, work.weights, InputRows<T>(s.input, b, first, steps),
                  static_cast<int>(s.width), warp, kParts);
  GBAN_UNROLL
  for (int m = 0; m < 2; ++m)
    for (int n = 0; n < kColumnTiles; ++n)
      for (int i = 0; i < 4; ++i)
        parts[(warp * 16 + (n * 2 + i % 2) * 4 + m * 2 + i / 2) * 32 + lane] = sums.of[m][n][i];
  __syncthreads();
  float gates[4] = {};
  GBAN_UNROLL
  for (int part = 0; part < kParts; ++part)
    for (int gate = 0; gate < 4; ++gate)
      gates[gate] += parts[(part * 16 + warp * 4 + gate) * 32 + lane];
  const int step = first + warp / 2 * 8 + lane % 4 * 2 + warp % 2;
  if (step < steps) work.store(H, step, gates);
}

}  // namespace gban::cuda
