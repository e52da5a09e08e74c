// The alignment forward: one kernel, KERNELS.md's "one score matrix, no second product".
//
// A group of `blocks` blocks shares an utterance, and groups take utterances in turn. Block i owns
// row tiles i, i + blocks, ... of the speech. It computes E of its rows tile by tile, r_k of its
// rows and its part of c_j; after a barrier across the group every block knows c, and computes w_s
// of its rows and its parts of w_t and a_s; the block that comes last adds up the parts, in the
// order of the blocks, whichever it is. Where a block owns one tile and its E fits into shared
// memory ("resident") E is kept, else computed twice. K x L never reaches device memory.
#pragma once

#include "gban/alignment_cuda.h"
#include "tile.cuh"

namespace gban::cuda {

template <typename T>
struct ForwardParams {
  AlignForward<T> a;
  unsigned* counters;  // [groups][3]: barrier arrivals, barrier generation, finished blocks
  float* parts;        // [groups][2][blocks][2 L + D]; unused where one resident block is a group
  int groups, blocks;
  int e_stride;  // floats from row to row of the kept E; 0: not resident
};

// Where things lie in shared memory, in bytes.
template <typename T, int R, int C>
struct ForwardShared {
  int x, y, scores, rows, columns, kept, own, end;

  GBAN_HD static constexpr ForwardShared of(int D, int e_stride, int own_floats) {
    ForwardShared s{};
    s.x = 0;
    s.y = R * row_bytes(D, sizeof(T));
    s.scores = s.y + C * row_bytes(D, sizeof(T));
    s.rows = s.scores + 4 * Shares<R, C>::floats;
    s.columns = s.rows + 4 * 2 * R;
    s.kept = s.columns + 4 * (kThreads + C + 4);
    s.own = s.kept + 4 * R * e_stride;
    s.end = s.own + 4 * own_floats;
    return s;
  }
};

template <typename T, int R, int C>
struct ForwardBlock {
  using W = Walk<R, C>;
  static constexpr int kOwn = kMaxStates / kThreads;
  const ForwardParams<T>& p;
  int D, block, thread;
  unsigned char *x, *y;
  float *scores, *r, *w, *columns, *share, *kept;
  unsigned* flag;
  float* parts;  // [blocks][2 L + D] of this utterance
  std::int64_t b, K, L;
  const T *speech, *text;
  float poison;        // 0, or NaN where a length is impossible
  float pooled[kOwn];  // of states thread, thread + 256, ...

  __device__ explicit ForwardBlock(const ForwardParams<T>& params) : p(params) {
    D = static_cast<int>(p.a.sizes.states);
    thread = static_cast<int>(threadIdx.x);
    block = static_cast<int>(blockIdx.x) % p.blocks;
    const auto at = ForwardShared<T, R, C>::of(D, p.e_stride, 0);
    unsigned char* shared = shared_memory();
    x = shared + at.x;
    y = shared + at.y;
    scores = reinterpret_cast<float*>(shared + at.scores);
    r = reinterpret_cast<float*>(shared + at.rows);
    w = r + R;
    columns = reinterpret_cast<float*>(shared + at.columns);
    share = columns + kThreads;
    flag = reinterpret_cast<unsigned*>(share + C);
    kept = reinterpret_cast<float*>(shared + at.kept);
  }

  __device__ std::int64_t width() const { return 2 * p.a.sizes.words + p.a.sizes.states; }
  __device__ float* c_part(int of) const { return parts + of * width(); }
  __device__ float* w_part(int of) const { return c_part(of) + p.a.sizes.words; }
  __device__ float* a_part(int of) const { return w_part(of) + p.a.sizes.words; }
  __device__ bool alone() const { return p.blocks == 1; }
  __device__ int tiles() const { return static_cast<int>((K + R - 1) / R); }
  __device__ int active() const { return tiles() < p.blocks ? tiles() : p.blocks; }
  __device__ float* e_tile(std::int64_t j0) const { return p.e_stride ? kept + j0 : scores; }
  __device__ int e_stride() const { return p.e_stride ? p.e_stride : Shares<R, C>::stride; }

  __device__ std::int64_t length(const std::int64_t* lengths, std::int64_t limit) {
    const std::int64_t n = lengths ? lengths[b] : limit;
    if (n >= 1 && n <= limit) return n;
    poison = bits_float(0x7FFFFFFFu);
    return 1;
  }

  __device__ void begin(std::int64_t utterance, int group, int turn) {
    b = utterance;
    poison = 0.0f;
    K = length(p.a.speech_lengths, p.a.sizes.steps);
    L = length(p.a.text_lengths, p.a.sizes.words);
    speech = p.a.speech.at(b);
    text = p.a.text.at(b);
    // Two sets in turn: a block may be an utterance ahead of one that still reads these.
    parts = alone() && p.e_stride ? kept + R * p.e_stride
                                  : p.parts + (2 * group + turn % 2) * p.blocks * width();
    clear();
    zero_beyond();
  }

  __device__ void clear() {
    GBAN_UNROLL
    for (int i = 0; i < kOwn; ++i) pooled[i] = 0.0f;
  }

  // Outputs beyond the true lengths.
  __device__ void zero_beyond() {
    const AlignSizes& s = p.a.sizes;
    for (std::int64_t k = K + block * kThreads + thread; k < s.steps; k += p.blocks * kThreads) {
      p.a.speech_weights[b * s.steps + k] = from_float<T>(0.0f);
      p.a.speech_sums[b * s.steps + k] = 0.0f;
    }
    if (block) return;
    for (std::int64_t j = L + thread; j < s.words; j += kThreads) {
      p.a.text_weights[b * s.words + j] = from_float<T>(0.0f);
      p.a.text_sums[b * s.words + j] = 0.0f;
    }
  }

  __device__ void load_rows(std::int64_t k0) {
    load_tile<T, R>(x, speech, p.a.speech.row_stride, k0, K, D);
  }

  // E of rows k0 and columns j0 on, in the kept matrix or in the score tile; zero beyond K and L.
  __device__ void exponentials(std::int64_t k0, std::int64_t j0) {
    load_tile<T, C>(y, text, p.a.text.row_stride, j0, L, D);
    wait_tiles();
    const int rows = static_cast<int>(K - k0 < R ? K - k0 : R);
    const int words = static_cast<int>(L - j0 < C ? L - j0 : C);
    score_tile<T, R, C>(scores, x, y, D, rows, words);
    __syncthreads();
    float* E = e_tile(j0);
    for (int i = 0; i < W::count; ++i) {
      const int row = W::row(i), column = W::column();
      const bool inside = row < rows && column < words;
      E[row * e_stride() + column] =
          inside ? exp_tanh(tanh_complement(score_at<R, C>(scores, row, column))) : 0.0f;
    }
    // Each thread goes on with the elements it wrote, but the next tile's scores need a barrier.
  }

  // First pass over one row tile: r of its rows, and its part of c.
  __device__ void row_sums(int tile) {
    const std::int64_t k0 = static_cast<std::int64_t>(tile) * R;
    load_rows(k0);
    if (thread < R) r[thread] = 0.0f;
    for (std::int64_t j0 = 0; j0 < L; j0 += C) {
      exponentials(k0, j0);
      const float* E = e_tile(j0);
      float part = 0.0f, sum;
      for (int i = 0; i < W::count; ++i) {
        const float e = E[W::row(i) * e_stride() + W::column()];
        const float total = sum_lanes<C>(e);
        if (W::column() == 0) r[W::row(i)] += total;
        part += e;
      }
      if (sum_columns<R, C>(columns, part, &sum) && j0 + thread < L)
        c_part(block)[j0 + thread] = tile == block ? sum : c_part(block)[j0 + thread] + sum;
    }
    __syncthreads();
    if (thread < R && k0 + thread < K)
      p.a.speech_sums[b * p.a.sizes.steps + k0 + thread] = r[thread];
  }

  // 1 / (L c_j) of the C columns from j0 on; block 0 gives out c on its first tile.
  __device__ void shares(std::int64_t j0, bool first) {
    if (thread < C && j0 + thread < L) {
      float c = 0.0f;
      for (int i = 0; i < active(); ++i) c += load_part(c_part(i) + j0 + thread);
      share[thread] = 1.0f / (static_cast<float>(L) * c);
      if (first) p.a.text_sums[b * p.a.sizes.words + j0 + thread] = c;
    } else if (thread < C) {
      share[thread] = 0.0f;
    }
    __syncthreads();
  }

  // Second pass over one row tile: w_s of its rows, and its parts of w_t and a_s.
  __device__ void weights(int tile) {
    const std::int64_t k0 = static_cast<std::int64_t>(tile) * R;
    if (!p.e_stride) reload(k0);
    if (thread < R) w[thread] = 0.0f;
    for (std::int64_t j0 = 0; j0 < L; j0 += C) {
      if (!p.e_stride) exponentials(k0, j0);
      shares(j0, tile == 0);
      float part = 0.0f, sum;
      for (int i = 0; i < W::count; ++i) part += weigh(k0, j0, W::row(i), W::column());
      if (sum_columns<R, C>(columns, part, &sum) && j0 + thread < L)
        w_part(block)[j0 + thread] = tile == block ? sum : w_part(block)[j0 + thread] + sum;
      __syncthreads();
    }
    if (thread < R && k0 + thread < K)
      p.a.speech_weights[b * p.a.sizes.steps + k0 + thread] = from_float<T>(w[thread] + poison);
    const int rows = static_cast<int>(K - k0 < R ? K - k0 : R);
    GBAN_UNROLL
    for (int i = 0; i < kOwn; ++i)
      for (int row = 0, d = thread + i * kThreads; d < D && row < rows; ++row)
        pooled[i] += w[row] * shared_value(x + row * row_bytes(D, sizeof(T)), d, T{});
    __syncthreads();
  }

  // The row tile and its r again, where they were not kept.
  __device__ void reload(std::int64_t k0) {
    load_rows(k0);
    if (thread < R)
      r[thread] = k0 + thread < K ? p.a.speech_sums[b * p.a.sizes.steps + k0 + thread] : 1.0f;
  }

  // One element: adds its share to w_s, writes the maps, gives its share of w_t.
  __device__ float weigh(std::int64_t k0, std::int64_t j0, int row, int column) {
    const float e = e_tile(j0)[row * e_stride() + column];
    const float total = sum_lanes<C>(e * share[column]);
    if (column == 0) w[row] += total;
    const std::int64_t k = k0 + row, j = j0 + column;
    if (k >= K || j >= L) return 0.0f;
    const AlignSizes& s = p.a.sizes;
    const float beta = e / r[row];
    if (p.a.alpha)
      p.a.alpha[(b * s.words + j) * s.steps + k] =
          from_float<T>(e * share[column] * static_cast<float>(L) + poison);
    if (p.a.beta) p.a.beta[(b * s.steps + k) * s.words + j] = from_float<T>(beta + poison);
    return beta / static_cast<float>(K);
  }

  // What the block adds to a_s, for the one that comes last.
  __device__ void publish() {
    if (alone()) return;
    GBAN_UNROLL
    for (int i = 0; i < kOwn; ++i)
      if (thread + i * kThreads < D) a_part(block)[thread + i * kThreads] = pooled[i];
  }

  // Own states of a pooled output [B, D].
  __device__ void store(T* out) {
    GBAN_UNROLL
    for (int i = 0; i < kOwn; ++i)
      if (thread + i * kThreads < D)
        out[b * p.a.sizes.states + thread + i * kThreads] = from_float<T>(pooled[i] + poison);
  }

  // The sum of all blocks' parts: a_s, w_t and with it a_t.
  __device__ void finish() {
    if (!alone()) {
      clear();
      GBAN_UNROLL
      for (int i = 0; i < kOwn; ++i)
        for (int of = 0, d = thread + i * kThreads; d < D && of < active(); ++of)
          pooled[i] += load_part(a_part(of) + d);
    }
    store(p.a.pooled_speech);
    clear();
    for (std::int64_t j0 = 0; j0 < L; j0 += C) finish_words(j0);
    store(p.a.pooled_text);
  }

  __device__ void finish_words(std::int64_t j0) {
    __syncthreads();
    if (thread < C && j0 + thread < L) {
      float weight = 0.0f;
      for (int of = 0; of < active(); ++of) weight += load_part(w_part(of) + j0 + thread);
      share[thread] = weight;
      p.a.text_weights[b * p.a.sizes.words + j0 + thread] = from_float<T>(weight + poison);
    }
    __syncthreads();
    const int words = static_cast<int>(L - j0 < C ? L - j0 : C);
    GBAN_UNROLL
    for (int i = 0; i < kOwn; ++i)
      for (int j = 0, d = thread + i * kThreads; d < D && j < words; ++j)
        pooled[i] += share[j] * to_float(text[(j0 + j) * p.a.text.row_stride + d]);
  }
};

// All blocks of the group have come; what they wrote before is seen after. counters: arrivals,
// generation.
__device__ inline void group_barrier(unsigned* counters, unsigned blocks) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    const unsigned generation = load_acquire(counters + 1);
    if (atomic_add(counters, 1) == blocks - 1) {
      store_release(counters, 0);
      store_release(counters + 1, generation + 1);
    } else {
      while (load_acquire(counters + 1) == generation) spin();
    }
  }
  __syncthreads();
}

// True in every thread of the block that comes last, and what the others wrote is then seen.
__device__ inline bool comes_last(unsigned* arrivals, unsigned blocks, unsigned* flag) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    *flag = atomic_add(arrivals, 1) == blocks - 1;
    if (*flag) store_release(arrivals, 0);
  }
  __syncthreads();
  return *flag != 0;
}

template <typename T, int R, int C>
__global__ void __launch_bounds__(kThreads, 2) align_forward(ForwardParams<T> p) {
  ForwardBlock<T, R, C> block(p);
  const int group = static_cast<int>(blockIdx.x) / p.blocks;
  unsigned* counters = p.counters + 3 * group;
  int turn = 0;
  for (std::int64_t b = group; b < p.a.sizes.batch; b += p.groups, ++turn) {
    block.begin(b, group, turn);
    for (int tile = block.block; tile < block.tiles(); tile += p.blocks) block.row_sums(tile);
    if (block.alone())
      __syncthreads();
    else
      group_barrier(counters, p.blocks);
    for (int tile = block.block; tile < block.tiles(); tile += p.blocks) block.weights(tile);
    block.publish();
    if (block.alone() || comes_last(counters + 2, p.blocks, block.flag)) block.finish();
    __syncthreads();
  }
}

}  // namespace gban::cuda
