// The alignment backward: two kernels, both seen from one side of the score matrix.
//
// The formulas are the same for speech and text with the roles exchanged, so a block takes a row
// tile of either side X and walks over all row tiles of the other side Y, computing E anew:
//   1. align_row_sums: p_i = X_i . da_X + dw_X[i], n_i = sum_j E_ij q_j / s_i with q = p of Y and
//      s = r or c of X, and w_i = sum_j E_ij / (J s_j) (n is n_k for speech and m_j for text).
//   2. align_gradients: dX_i = sum_j G_ij Y_j + w_i da_X with
//      G_ij = E_ij (1 - A_ij^2) [(p_i - n_j) / (J s_j) + (p_j - n_i) / (I s_i)].
// No block writes what another reads within a kernel: no barrier, and always the same sums.
#pragma once

#include "gban/alignment_cuda.h"
#include "tile.cuh"

namespace gban::cuda {

// One side of the matrix: the speech with K, or the text with L.
template <typename T>
struct Side {
  Rows<const T> states;         // [B, limit, D]
  const std::int64_t* lengths;  // [B] or null
  std::int64_t limit;
  const float* sums;   // [B, limit], r or c
  const T* d_pooled;   // [B, D]
  const T* d_weights;  // [B, limit] or null
  T* d_states;         // [B, limit, D]
  float* stats;        // [B, limit, 3]: p, n, w
  int tiles;           // row tiles of limit

  __device__ float gradient(std::int64_t b, std::int64_t i) const {
    return d_weights ? to_float(d_weights[b * limit + i]) : 0.0f;
  }
};

template <typename T>
struct BackwardParams {
  Side<T> speech, text;
  std::int64_t batch;
  int D;
};

template <typename T, int R, int C>
struct BackwardShared {
  int x, y, scores, rows, columns, end;

  GBAN_HD static constexpr BackwardShared of(int D) {
    BackwardShared s{};
    s.x = 0;
    s.y = R * row_bytes(D, sizeof(T));
    s.scores = s.y + C * row_bytes(D, sizeof(T));
    s.rows = s.scores + 4 * Shares<R, C>::floats;
    s.columns = s.rows + 4 * 4 * R;
    s.end = s.columns + 4 * 3 * C;
    return s;
  }
};

template <typename T, int R, int C>
struct BackwardBlock {
  using W = Walk<R, C>;
  Side<T> X, Y;
  int D, thread;
  std::int64_t b, i0, I, J;
  float poison;
  unsigned char *x, *y;
  float *scores, *rows, *columns;  // rows [4][R], columns [3][C]

  __device__ explicit BackwardBlock(const BackwardParams<T>& p) : D(p.D) {
    thread = static_cast<int>(threadIdx.x);
    const int tiles = p.speech.tiles + p.text.tiles;
    b = blockIdx.x / tiles;
    const int tile = static_cast<int>(blockIdx.x) % tiles;
    const bool speech = tile < p.speech.tiles;
    X = speech ? p.speech : p.text;
    Y = speech ? p.text : p.speech;
    i0 = static_cast<std::int64_t>(speech ? tile : tile - p.speech.tiles) * R;
    poison = 0.0f;
    I = length(X);
    J = length(Y);
    const auto at = BackwardShared<T, R, C>::of(D);
    unsigned char* shared = shared_memory();
    x = shared + at.x;
    y = shared + at.y;
    scores = reinterpret_cast<float*>(shared + at.scores);
    rows = reinterpret_cast<float*>(shared + at.rows);
    columns = reinterpret_cast<float*>(shared + at.columns);
  }

  __device__ std::int64_t length(const Side<T>& side) {
    const std::int64_t n = side.lengths ? side.lengths[b] : side.limit;
    if (n >= 1 && n <= side.limit) return n;
    poison = bits_float(0x7FFFFFFFu);
    return 1;
  }

  __device__ int own_rows() const {
    const std::int64_t left = I - i0;
    return static_cast<int>(left < 0 ? 0 : left < R ? left : R);
  }
  __device__ int other_rows(std::int64_t j0) const {
    return static_cast<int>(J - j0 < C ? J - j0 : C);
  }

  __device__ void load_own() { load_tile<T, R>(x, X.states.at(b), X.states.row_stride, i0, I, D); }

  // Rows j0 .. of Y and their scores with the own rows.
  __device__ void score(std::int64_t j0) {
    load_tile<T, C>(y, Y.states.at(b), Y.states.row_stride, j0, J, D);
    wait_tiles();
    score_tile<T, R, C>(scores, x, y, D, own_rows(), other_rows(j0));
  }

  // tile_row . da, summed by one warp; every lane gets it.
  __device__ float dot(const unsigned char* tile, int row, const T* da) const {
    const unsigned char* states = tile + row * row_bytes(D, sizeof(T));
    float sum = 0.0f;
    for (int d = thread % 32; d < D; d += 32)
      sum += shared_value(states, d, T{}) * to_float(da[b * D + d]);
    return sum_lanes<32>(sum);
  }
};

template <typename T, int R, int C>
struct RowSums : BackwardBlock<T, R, C> {
  using Base = BackwardBlock<T, R, C>;
  using typename Base::W;
  float *p, *n, *w;  // [R]
  float *q, *share;  // [C]

  __device__ explicit RowSums(const BackwardParams<T>& params) : Base(params) {
    p = this->rows;
    n = p + R;
    w = n + R;
    q = this->columns;
    share = q + C;
  }

  __device__ void run() {
    this->load_own();
    if (this->thread < R) n[this->thread] = w[this->thread] = 0.0f;
    for (std::int64_t j0 = 0; j0 < this->J; j0 += C) {
      this->score(j0);
      others(j0);
      __syncthreads();
      add(j0);
      __syncthreads();
    }
    own();
    __syncthreads();
    store();
  }

  // q and 1 / (J s) of the other side's rows.
  __device__ void others(std::int64_t j0) {
    const int count = this->other_rows(j0);
    for (int j = this->thread / 32; j < count; j += kWarps) {
      const float product = this->dot(this->y, j, this->Y.d_pooled);
      if (this->thread % 32) continue;
      const std::int64_t at = this->b * this->Y.limit + j0 + j;
      q[j] = product + this->Y.gradient(this->b, j0 + j);
      share[j] = 1.0f / (static_cast<float>(this->J) * this->Y.sums[at]);
    }
  }

  __device__ void add(std::int64_t j0) {
    const int column = W::column(), count = this->other_rows(j0);
    for (int i = 0; i < W::count; ++i) {
      const int row = W::row(i);
      const bool inside = row < this->own_rows() && column < count;
      const float e =
          inside ? exp_tanh(tanh_complement(score_at<R, C>(this->scores, row, column))) : 0.0f;
      const float toward = sum_lanes<C>(inside ? e * q[column] : 0.0f);
      const float weight = sum_lanes<C>(inside ? e * share[column] : 0.0f);
      if (column) continue;
      n[row] += toward;
      w[row] += weight;
    }
  }

  __device__ void own() {
    for (int row = this->thread / 32; row < this->own_rows(); row += kWarps) {
      const float product = this->dot(this->x, row, this->X.d_pooled);
      if (this->thread % 32 == 0) p[row] = product + this->X.gradient(this->b, this->i0 + row);
    }
  }

  __device__ void store() {
    if (this->thread >= this->own_rows()) return;
    const std::int64_t at = this->b * this->X.limit + this->i0 + this->thread;
    float* stats = this->X.stats + 3 * at;
    stats[0] = p[this->thread];
    stats[1] = n[this->thread] / this->X.sums[at];
    stats[2] = w[this->thread];
  }
};

template <typename T, int R, int C>
__global__ void __launch_bounds__(kThreads, 2) align_row_sums(BackwardParams<T> params) {
  RowSums<T, R, C> block(params);
  if (block.own_rows() > 0) block.run();
}

}  // namespace gban::cuda
