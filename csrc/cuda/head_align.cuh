// The alignment of one utterance by one block, for head.cuh: equations as in gban/alignment.h.
//
// A block keeps the whole E = exp(tanh(S T^t)) in shared memory: at most 46 x 256 at the authors'
// sizes. Several blocks of an utterance each compute it for themselves, which is quicker than to
// wait for one another, and then divide what follows.
#pragma once

#include "tile.cuh"

namespace gban::cuda {

// Where things lie in shared memory, in bytes.
template <typename T, int R, int C>
struct AlignShared {
  int x, y, scores, E, row_share, column_share, w_s, w_t, end;

  GBAN_HD static constexpr AlignShared of(int D, int K, int L) {
    AlignShared s{};
    s.x = 0;
    s.y = R * row_bytes(D, sizeof(T));
    s.scores = s.y + C * row_bytes(D, sizeof(T));
    s.E = s.scores + 4 * Shares<R, C>::floats;
    s.row_share = s.E + 4 * K * e_stride(L);
    s.column_share = s.row_share + 4 * K;
    s.w_s = s.column_share + 4 * L;
    s.w_t = s.w_s + 4 * K;
    s.end = round_up(s.w_t + 4 * L, 16);
    return s;
  }

  // Odd: a thread a row, or a thread a column, hit all banks.
  GBAN_HD static constexpr int e_stride(int L) { return L | 1; }
};

template <typename T, int R, int C>
struct AlignBlock {
  const T *speech, *text;  // [K, D], [L, D]
  int K, L, D, e_stride, thread;
  unsigned char *x, *y;
  float *scores, *E, *row_share, *column_share, *w_s, *w_t;

  __device__ AlignBlock(const T* S, const T* text_states, int steps, int words, int states,
                        int steps_limit, int words_limit)
      : speech(S), text(text_states), K(steps), L(words), D(states) {
    const auto at = AlignShared<T, R, C>::of(D, steps_limit, words_limit);
    unsigned char* shared = shared_memory();
    thread = static_cast<int>(threadIdx.x);
    e_stride = AlignShared<T, R, C>::e_stride(words_limit);
    x = shared + at.x;
    y = shared + at.y;
    scores = reinterpret_cast<float*>(shared + at.scores);
    E = reinterpret_cast<float*>(shared + at.E);
    row_share = reinterpret_cast<float*>(shared + at.row_share);
    column_share = reinterpret_cast<float*>(shared + at.column_share);
    w_s = reinterpret_cast<float*>(shared + at.w_s);
    w_t = reinterpret_cast<float*>(shared + at.w_t);
  }

  __device__ void start_loads(int k0, int j0) {
    if (j0 == 0) load_tile<T, R>(x, speech, D, k0, K, D);
    load_tile<T, C>(y, text, D, j0, L, D);
  }

  // E, after start_loads(0, 0).
  __device__ void exponentials() {
    for (int k0 = 0; k0 < K; k0 += R)
      for (int j0 = 0; j0 < L; j0 += C) {
        if (k0 + j0 > 0) start_loads(k0, j0);
        wait_tiles();
        const int rows = min(K - k0, R), words = min(L - j0, C);
        score_tile<T, R, C>(scores, x, y, D, rows, words);
        __syncthreads();
        for (int i = 0; i < Walk<R, C>::count; ++i) {
          const int row = Walk<R, C>::row(i), column = Walk<R, C>::column();
          if (row < rows && column < words)
            E[(k0 + row) * e_stride + j0 + column] =
                exp_tanh(tanh_complement(score_at<R, C>(scores, row, column)));
        }
      }
    __syncthreads();
  }

  // 1 / (L c_j) and 1 / (K r_k), then w_s and w_t. A thread a column or a row.
  __device__ void weights() {
    for (int i = thread; i < K + L; i += kThreads) {
      float sum = 0.0f;
      if (i < L)
        for (int k = 0; k < K; ++k) sum += E[k * e_stride + i];
      else
        for (int j = 0; j < L; ++j) sum += E[(i - L) * e_stride + j];
      (i < L ? column_share[i] : row_share[i - L]) =
          1.0f / (static_cast<float>(i < L ? L : K) * sum);
    }
    __syncthreads();
    for (int i = thread; i < K + L; i += kThreads) {
      float sum = 0.0f;
      if (i < L)
        for (int k = 0; k < K; ++k) sum += E[k * e_stride + i] * row_share[k];
      else
        for (int j = 0; j < L; ++j) sum += E[(i - L) * e_stride + j] * column_share[j];
      (i < L ? w_t[i] : w_s[i - L]) = sum;
    }
    __syncthreads();
  }

  // a_s and a_t [D]. States that one tile held are still there.
  __device__ void pool(float* a_s, float* a_t) const {
    for (int d = thread; d < D; d += kThreads) {
      a_s[d] = K <= R ? sum_rows(x, row_bytes(D, sizeof(T)), w_s, K, d)
                      : sum_rows(reinterpret_cast<const unsigned char*>(speech),
                                 D * static_cast<int>(sizeof(T)), w_s, K, d);
      a_t[d] = L <= C ? sum_rows(y, row_bytes(D, sizeof(T)), w_t, L, d)
                      : sum_rows(reinterpret_cast<const unsigned char*>(text),
                                 D * static_cast<int>(sizeof(T)), w_t, L, d);
    }
  }

  __device__ static float sum_rows(const unsigned char* rows, int bytes, const float* weights,
                                   int count, int d) {
    float sum = 0.0f;
    GBAN_UNROLL_8
    for (int i = 0; i < count; ++i)
      sum += weights[i] * shared_value(rows + static_cast<std::int64_t>(i) * bytes, d, T{});
    return sum;
  }

  // Rows `from`, from + step, ... of alpha [L, K].
  __device__ void write_alpha(float* alpha, int from, int step) const {
    for (int j = from; j < L; j += step)
      for (int k = thread; k < K; k += kThreads)
        alpha[j * K + k] = E[k * e_stride + j] * column_share[j] * static_cast<float>(L);
  }
};

}  // namespace gban::cuda
