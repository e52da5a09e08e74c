// The second kernel of the alignment backward: alignment_backward.cuh says what it computes.
#pragma once

#include "alignment_backward.cuh"

namespace gban::cuda {

// NT: 16 x 8 pieces of the gradient a warp for each 16 rows, so D <= 64 NT.
template <typename T, int R, int C, int NT>
struct Gradients : BackwardBlock<T, R, C> {
  using Base = BackwardBlock<T, R, C>;
  using typename Base::W;
  static constexpr int kPieces = R / 16;
  float *p, *n, *w, *share;                // [R]; share is 1 / (I s)
  float *other_p, *other_n, *other_share;  // [C]
  float total[kPieces][NT][4];

  __device__ explicit Gradients(const BackwardParams<T>& params) : Base(params) {
    p = this->rows;
    n = p + R;
    w = n + R;
    share = w + R;
    other_p = this->columns;
    other_n = other_p + C;
    other_share = other_n + C;
    GBAN_UNROLL
    for (int m = 0; m < kPieces; ++m) {
      GBAN_UNROLL
      for (int t = 0; t < NT; ++t)
        for (int i = 0; i < 4; ++i) total[m][t][i] = 0.0f;
    }
  }

  __device__ void run() {
    this->load_own();
    stats(this->X, this->i0, this->own_rows(), this->I, p, n, share);
    if (this->thread < this->own_rows())
      w[this->thread] = this->X.stats[3 * (this->b * this->X.limit + this->i0 + this->thread) + 2];
    for (std::int64_t j0 = 0; j0 < this->J; j0 += C) {
      this->score(j0);
      stats(this->Y, j0, this->other_rows(j0), this->J, other_p, other_n, other_share);
      __syncthreads();
      differentiate(j0);
      __syncthreads();
      multiply();
      __syncthreads();
    }
    store();
  }

  __device__ void stats(const Side<T>& side, std::int64_t first, int count, std::int64_t length,
                        float* to_p, float* to_n, float* to_share) {
    if (this->thread >= count) return;
    const std::int64_t at = this->b * side.limit + first + this->thread;
    to_p[this->thread] = side.stats[3 * at];
    to_n[this->thread] = side.stats[3 * at + 1];
    to_share[this->thread] = 1.0f / (static_cast<float>(length) * side.sums[at]);
  }

  // Scores to G, in place; zero beyond the true lengths.
  __device__ void differentiate(std::int64_t j0) {
    const int column = W::column(), count = this->other_rows(j0);
    for (int i = 0; i < W::count; ++i) {
      const int row = W::row(i);
      float gradient = 0.0f;
      if (row < this->own_rows() && column < count) {
        const float u = tanh_complement(score_at<R, C>(this->scores, row, column));
        gradient = exp_tanh(u) * (4.0f * u * (1.0f - u)) *
                   ((p[row] - other_n[column]) * other_share[column] +
                    (other_p[column] - n[row]) * share[row]);
      }
      this->scores[row * Shares<R, C>::stride + column] = gradient;
    }
  }

  // total += G Y: warp v takes the columns 8 v, 8 v + 64, ... of the gradient.
  __device__ void multiply() {
    const int warp = this->thread / 32, t = this->thread % 4, g = this->thread % 32 / 4;
    const int bytes = row_bytes(this->D, sizeof(T));
    GBAN_UNROLL
    for (int piece = 0; piece < NT; ++piece) {
      const int d = 8 * (warp + kWarps * piece);
      if (d >= this->D) continue;
      float sums[kPieces][4] = {};
      // Not all of it: CUDA 12.6 then loads so much ahead that it spills.
      GBAN_UNROLL_2
      for (int k = 0; k < C; k += 8) {
        const float b[2] = {shared_value(this->y + (k + t) * bytes, d + g, T{}),
                            shared_value(this->y + (k + t + 4) * bytes, d + g, T{})};
        GBAN_UNROLL
        for (int m = 0; m < kPieces; ++m) product_step(sums[m], 16 * m + g, k + t, b, T{});
      }
      GBAN_UNROLL
      for (int m = 0; m < kPieces; ++m)
        for (int i = 0; i < 4; ++i) total[m][piece][i] += sums[m][i];
    }
  }

  __device__ float gradient_at(int row, int column) const {
    return this->scores[row * Shares<R, C>::stride + column];
  }

  // 16-bit states are exact in tf32; G is rounded to it, which keeps its exponent.
  template <typename Tag>
  __device__ void product_step(float* d, int row, int k, const float (&b)[2], Tag) const {
    const std::uint32_t left[4] = {float_bits(round_tf32(gradient_at(row, k))),
                                   float_bits(round_tf32(gradient_at(row + 8, k))),
                                   float_bits(round_tf32(gradient_at(row, k + 4))),
                                   float_bits(round_tf32(gradient_at(row + 8, k + 4)))};
    const std::uint32_t right[2] = {float_bits(b[0]), float_bits(b[1])};
    mma_m16n8k8_tf32(d, left, right);
  }
  __device__ void product_step(float* d, int row, int k, const float (&b)[2], float) const {
    const Split left[4] = {split(gradient_at(row, k)), split(gradient_at(row + 8, k)),
                           split(gradient_at(row, k + 4)), split(gradient_at(row + 8, k + 4))};
    const Split right[2] = {split(b[0]), split(b[1])};
    mma_split(d, left, right);
  }

  // dX of the own rows, zeros for those beyond the true length.
  __device__ void store() {
    const int warp = this->thread / 32, t = this->thread % 4, g = this->thread % 32 / 4;
    GBAN_UNROLL
    for (int m = 0; m < kPieces; ++m) {
      GBAN_UNROLL
      for (int piece = 0; piece < NT; ++piece)
        store_piece(total[m][piece], 16 * m + g, 8 * (warp + kWarps * piece) + 2 * t);
    }
  }

  // The four numbers of one piece that this thread holds: rows row and row + 8, columns d, d + 1.
  __device__ void store_piece(const float (&sums)[4], int row, int d) {
    GBAN_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int r = row + i / 2 * 8, column = d + i % 2;
      if (column >= this->D || this->i0 + r >= this->X.limit) continue;
      float value = 0.0f;
      if (r < this->own_rows())
        value =
            sums[i] + this->poison + w[r] * to_float(this->X.d_pooled[this->b * this->D + column]);
      this->X.d_states[(this->b * this->X.limit + this->i0 + r) * this->D + column] =
          from_float<T>(value);
    }
  }
};

template <typename T, int R, int C, int NT>
__global__ void __launch_bounds__(kThreads, 2) align_gradients(BackwardParams<T> params) {
  Gradients<T, R, C, NT> block(params);
  if (block.own_rows() > 0)
    block.run();
  else
    block.store();
}

}  // namespace gban::cuda
