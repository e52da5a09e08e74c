// States of the BiLSTMs to probabilities: alignment, group gated fusion (eqs. 15-21), classifier
// (22-23), softmax; the last kernel of the engine's graph.
//
// `blocks` blocks share an utterance. Each computes the alignment for itself (head_align.cuh) and
// its share of the rows of the fusion; the one that comes last computes the classifier. Results go
// straight to memory of the host; the last block of all then says so in `flag`.
#pragma once

#include "alignment_forward.cuh"
#include "encode_text.cuh"
#include "head_align.cuh"

namespace gban::cuda {

constexpr int kHeadBlocks = 8;
constexpr int kRowLanes = 8;  // that share a row of the classifier

template <typename T>
struct HeadParams {
  const EngineRun* run;                  // steps 0: no such utterance
  const T *speech, *text;                // [B][steps_limit][D], [B][text_limit][D]
  const float *last_speech, *last_text;  // [B][D]
  const T* fusion;                       // [2][F][4 D]: W_s, W_t and the gate's, of both groups
  const T* hidden;                       // [classifier][F padded]
  const T* output;                       // [C][classifier padded]
  const float* bias;                     // [C]
  float* fused;                          // [B][F]
  unsigned* counters;                    // [B] blocks that have come, and of the whole grid
  float* results;                        // [B][layout.floats], the host's
  unsigned* flag;                        // the host's
  ResultLayout layout;
  int steps_limit, text_limit, D, F, classifier, C;
  float temperature;
};

// Vectors are padded to what 16-byte loads of fp16 weights cover.
GBAN_HD constexpr int padded(int n) { return round_up(n, 8); }

// Floats of shared memory behind the alignment's.
GBAN_HD constexpr int head_floats(int D, int F, int classifier, int C) {
  return 4 * D + 4 * round_up(F, 4) + padded(F) + padded(classifier) + round_up(C, 4) + 4;
}

__device__ inline float dot16(const float* w, const float* v) {
  const float4 a = *reinterpret_cast<const float4*>(w), b = *reinterpret_cast<const float4*>(v);
  return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

__device__ inline float dot16(const Half* w, const float* v) {
  const uint4 packed = *reinterpret_cast<const uint4*>(w);
  const std::uint32_t words[4] = {packed.x, packed.y, packed.z, packed.w};
  float sum = 0.0f;
  GBAN_UNROLL
  for (int i = 0; i < 4; ++i) {
    const Half low{static_cast<std::uint16_t>(words[i])};
    const Half high{static_cast<std::uint16_t>(words[i] >> 16)};
    sum += to_float(low) * v[2 * i] + to_float(high) * v[2 * i + 1];
  }
  return sum;
}

// Of a gate: seldom enough for the exact functions.
__device__ inline float gate_value(float x) { return 1.0f / (1.0f + expf(-x)); }

template <typename T, int R, int C>
struct HeadBlock {
  static constexpr int kChunk = 16 / sizeof(T);
  const HeadParams<T>& p;
  int b, thread, K, L;
  AlignBlock<T, R, C> align;
  float *aligned, *last;  // [a_s, a_t], [h_s, h_t]
  float* part;            // [F] of the last-state group's half of eq. 21, own rows alone
  float *h, *g, *logits;
  unsigned* came_last;
  float* result;

  __device__ explicit HeadBlock(const HeadParams<T>& params)
      : p(params),
        b(static_cast<int>(blockIdx.y)),
        thread(static_cast<int>(threadIdx.x)),
        K(p.run->steps[b]),
        L(p.run->text_steps[b]),
        align(p.speech + static_cast<std::int64_t>(b) * p.steps_limit * p.D,
              p.text + static_cast<std::int64_t>(b) * p.text_limit * p.D, K, L, p.D, p.steps_limit,
              p.text_limit) {
    const int begin = AlignShared<T, R, C>::of(p.D, p.steps_limit, p.text_limit).end;
    aligned = reinterpret_cast<float*>(shared_memory() + begin);
    last = aligned + 2 * p.D;
    part = last + 2 * p.D;
    h = part + round_up(p.F, 4);
    g = h + padded(p.F);
    logits = g + padded(p.classifier);
    came_last = reinterpret_cast<unsigned*>(logits + round_up(p.C, 4));
    result = p.results + static_cast<std::int64_t>(b) * p.layout.floats;
  }

  __device__ void run() {
    align.start_loads(0, 0);
    for (int d = thread; d < p.D; d += kThreads) {
      last[d] = p.last_speech[b * p.D + d];
      last[p.D + d] = p.last_text[b * p.D + d];
    }
    __syncthreads();
    fuse(1, last, result + p.layout.last_gate);  // while the states are on their way
    align.exponentials();
    align.weights();
    align.pool(aligned, aligned + p.D);
    __syncthreads();
    fuse(0, aligned, result + p.layout.aligned_gate);
    write_weights();
    if (comes_last(p.counters + b, gridDim.x, came_last)) classify();
  }

  // A warp a row of the block's share. Group 1 comes first and leaves its half for group 0.
  __device__ void fuse(int group, const float* x, float* gate) {
    const int each = (p.F + static_cast<int>(gridDim.x) - 1) / static_cast<int>(gridDim.x);
    const int first = static_cast<int>(blockIdx.x) * each, end = min(first + each, p.F);
    for (int f = first + thread / 32; f < end; f += kWarps) {
      const T* row = p.fusion + (static_cast<std::int64_t>(group) * p.F + f) * 4 * p.D;
      const float speech = tanhf(dot(row, x, p.D, 32)),
                  text = tanhf(dot(row + p.D, x + p.D, p.D, 32));
      const float z = gate_value(dot(row + 2 * p.D, x, 2 * p.D, 32));
      if (thread % 32) continue;
      const float sum = z * speech + (1.0f - z) * text;
      gate[f] = z;
      if (group == 1)
        part[f] = sum;
      else
        p.fused[b * p.F + f] = part[f] + sum;
    }
  }

  // By `lanes` neighbouring lanes, all of which get it.
  __device__ float dot(const T* w, const float* v, int n, int lanes) const {
    float sum = 0.0f;
    GBAN_UNROLL_8
    for (int i = thread % lanes * kChunk; i < n; i += lanes * kChunk) sum += dot16(w + i, v + i);
    for (int step = lanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, step);
    return sum;
  }

  __device__ void write_weights() {
    if (blockIdx.x == 0) {
      for (int k = thread; k < K; k += kThreads) result[p.layout.speech_weights + k] = align.w_s[k];
      for (int j = thread; j < L; j += kThreads) result[p.layout.text_weights + j] = align.w_t[j];
    }
    if (p.run->alpha[b])
      align.write_alpha(result + p.layout.alpha, static_cast<int>(blockIdx.x),
                        static_cast<int>(gridDim.x));
  }

  // Eqs. 22-23 and the softmax, of the whole h.
  __device__ void classify() {
    for (int f = thread; f < padded(p.F); f += kThreads)
      h[f] = f < p.F ? load_part(p.fused + b * p.F + f) : 0.0f;
    for (int i = thread; i < padded(p.classifier); i += kThreads) g[i] = 0.0f;
    __syncthreads();
    multiply(p.hidden, padded(p.F), h, p.classifier,
             [&](int row, float sum) { g[row] = larger(sum, 0.0f); });
    __syncthreads();
    multiply(p.output, padded(p.classifier), g, p.C,
             [&](int row, float sum) { logits[row] = sum + p.bias[row]; });
    __syncthreads();
    float most = logits[0], total = 0.0f;
    for (int c = 1; c < p.C; ++c) most = fmaxf(most, logits[c]);
    for (int c = 0; c < p.C; ++c) total += expf((logits[c] - most) / p.temperature);
    for (int c = thread; c < p.C; c += kThreads) {
      result[p.layout.logits + c] = logits[c];
      result[p.layout.probabilities + c] = expf((logits[c] - most) / p.temperature) / total;
    }
  }

  // keep(row, W[row] . v) for all rows of a matrix [rows][n].
  template <typename Keep>
  __device__ void multiply(const T* W, int n, const float* v, int rows, const Keep& keep) {
    for (int first = thread / 32 * (32 / kRowLanes); first < rows; first += kThreads / kRowLanes) {
      const int row = first + thread % 32 / kRowLanes;
      const float sum = dot(W + static_cast<std::int64_t>(min(row, rows - 1)) * n, v, n, kRowLanes);
      if (row < rows && thread % kRowLanes == 0) keep(row, sum);
    }
  }
};

template <typename T, int R, int C>
__global__ void __launch_bounds__(kThreads, 2) head(HeadParams<T> p) {
  HeadBlock<T, R, C> block(p);
  if (block.K > 0) block.run();
  // Not before every block has come: a block that the host knows nothing of may still write.
  __threadfence();
  __syncthreads();
  if (threadIdx.x > 0) return;
  unsigned* arrived = p.counters + gridDim.y;
  if (atomic_add(arrived, 1) != gridDim.x * gridDim.y - 1) return;
  store_release(arrived, 0);
  store_release_system(p.flag, p.run->sequence);
}

}  // namespace gban::cuda
