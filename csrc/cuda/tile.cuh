// A tile of states in shared memory, and the tile of scores X Y^t of two of them.
//
// Row tiles are [rows, D] as stored (fp32, fp16, bf16), each row padded with zeros to whole 32-byte
// steps and then by 16 bytes more, so that the eight rows of an mma fragment lie in different
// banks.
#pragma once

#include "device.cuh"

// Loops over a thread's registers must be unrolled, or the registers become memory.
#if defined(__CUDACC__)
#define GBAN_UNROLL _Pragma("unroll")
#define GBAN_UNROLL_2 _Pragma("unroll 2")
#define GBAN_UNROLL_8 _Pragma("unroll 8")
#else
#define GBAN_UNROLL
#define GBAN_UNROLL_2
#define GBAN_UNROLL_8
#endif

namespace gban::cuda {

using namespace gban::dev;

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kScorePad = 4;  // floats after each row of a score tile: fragments hit all banks

GBAN_HD constexpr int round_up(int n, int step) { return (n + step - 1) / step * step; }

// Bytes from one row of a tile to the next.
GBAN_HD constexpr int row_bytes(int D, int size) { return round_up(D * size, 32) + 16; }

// How the block's eight warps share the 16 x 8 pieces of an R x C score tile. Where there are fewer
// pieces than warps, several warps share one and split D: their parts are summed when read.
template <int R, int C>
struct Shares {
  static constexpr int row_pieces = R / 16, pieces = row_pieces * (C / 8);
  static constexpr int columns = pieces > kWarps ? pieces / kWarps : 1;  // 16 x 8 pieces a warp
  static constexpr int units = pieces / columns;
  static constexpr int splits = kWarps / units;
  static constexpr int stride = C + kScorePad;
  static constexpr int floats = splits * R * stride;  // of the score buffer
  static_assert(R % 16 == 0 && C % 8 == 0 && units * splits == kWarps, "");
};

// Starts copying rows first .. first + R - 1 of `rows` into a tile; rows from `count` on are zero.
template <typename T, int R>
__device__ inline void load_tile(unsigned char* tile, const T* rows, std::int64_t stride,
                                 std::int64_t first, std::int64_t count, int D) {
  const int bytes = row_bytes(D, sizeof(T)), chunks = bytes / 16 - 1;
  const int used = D * static_cast<int>(sizeof(T)) / 16;
  for (int row = static_cast<int>(threadIdx.x) / 32; row < R; row += kWarps) {
    const bool exists = first + row < count;
    const T* source = rows + (exists ? (first + row) * stride : 0);
    for (int c = static_cast<int>(threadIdx.x) % 32; c < chunks; c += 32)
      copy_async16(tile + row * bytes + c * 16,
                   reinterpret_cast<const unsigned char*>(source) + (c < used ? c * 16 : 0),
                   exists && c < used);
  }
}

// Waits for the copies that the block's threads have started, and for the threads.
__device__ inline void wait_tiles() {
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();
}

__device__ inline float shared_value(const unsigned char* row, int i, float) {
  return reinterpret_cast<const float*>(row)[i];
}
template <typename T>
__device__ inline float shared_value(const unsigned char* row, int i, T) {
  return to_float(reinterpret_cast<const T*>(row)[i]);
}

// What another block may have written: not from this processor's first-level cache.
__device__ inline float load_part(const float* p) { return *static_cast<const volatile float*>(p); }

__device__ inline std::uint32_t word(const unsigned char* p) {
  return *reinterpret_cast<const std::uint32_t*>(p);
}

// One k-step of N neighbouring 16 x 8 pieces: x points at row 0 of 16, y at row 0 of 8 N, both at
// the step's first byte (32 bytes a step for every type).
template <int N, typename T>
__device__ inline void score_step(float (&sums)[N][4], const unsigned char* x,
                                  const unsigned char* y, int bytes, T tag) {
  const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
  const unsigned char* top = x + g * bytes + 4 * t;
  const unsigned char* bottom = top + 8 * bytes;
  const std::uint32_t a[4] = {word(top), word(bottom), word(top + 16), word(bottom + 16)};
  GBAN_UNROLL
  for (int n = 0; n < N; ++n) {
    const unsigned char* column = y + (8 * n + g) * bytes + 4 * t;
    const std::uint32_t b[2] = {word(column), word(column + 16)};
    mma_m16n8k16(sums[n], a, b, tag);
  }
}

// x = large + small, each with the 10 fraction bits that the tensor core reads: 21 bits in all.
struct Split {
  std::uint32_t large, small;
};
__device__ inline Split split(float x) {
  const float large = round_tf32(x);
  return {float_bits(large), float_bits(round_tf32(x - large))};
}

// d += a b with inputs of almost full fp32 precision (the product of the small parts left out).
template <int A>
__device__ inline void mma_split(float* d, const Split (&a)[A], const Split (&b)[2]) {
  const std::uint32_t a_large[4] = {a[0].large, a[1].large, a[2].large, a[3].large};
  const std::uint32_t a_small[4] = {a[0].small, a[1].small, a[2].small, a[3].small};
  const std::uint32_t b_large[2] = {b[0].large, b[1].large};
  const std::uint32_t b_small[2] = {b[0].small, b[1].small};
  mma_m16n8k8_tf32(d, a_small, b_large);
  mma_m16n8k8_tf32(d, a_large, b_small);
  mma_m16n8k8_tf32(d, a_large, b_large);
}

template <int N>
__device__ inline void score_step(float (&sums)[N][4], const unsigned char* x,
                                  const unsigned char* y, int bytes, float) {
  const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
  const unsigned char *top = x + g * bytes, *bottom = top + 8 * bytes;
  const Split a[4] = {split(shared_value(top, t, 0.0f)), split(shared_value(bottom, t, 0.0f)),
                      split(shared_value(top, t + 4, 0.0f)),
                      split(shared_value(bottom, t + 4, 0.0f))};
  GBAN_UNROLL
  for (int n = 0; n < N; ++n) {
    const unsigned char* column = y + (8 * n + g) * bytes;
    const Split b[2] = {split(shared_value(column, t, 0.0f)),
                        split(shared_value(column, t + 4, 0.0f))};
    mma_split(sums[n], a, b);
  }
}

// scores[split][R][stride] = parts of X Y^t. Pieces wholly beyond `rows` or `columns` are left as
// they were. Tensor cores truncate when they add, so every eighth step starts from zero again and
// is added to the total in rounded fp32.
template <typename T, int R, int C>
__device__ inline void score_tile(float* scores, const unsigned char* x, const unsigned char* y,
                                  int D, int rows, int columns) {
  using S = Shares<R, C>;
  const int warp = static_cast<int>(threadIdx.x) / 32, unit = warp % S::units;
  const int part = warp / S::units;
  const int row = unit % S::row_pieces * 16, column = unit / S::row_pieces * 8 * S::columns;
  if (row >= rows || column >= columns) return;
  const int bytes = row_bytes(D, sizeof(T)), steps = bytes / 32;
  const int end = (part + 1) * steps / S::splits;
  float total[S::columns][4] = {};
  for (int step = part * steps / S::splits; step < end;) {
    float sums[S::columns][4] = {};
    const int stop = step + 8 < end ? step + 8 : end;
    for (; step < stop; ++step)
      score_step(sums, x + row * bytes + step * 32, y + column * bytes + step * 32, bytes, T{});
    GBAN_UNROLL
    for (int n = 0; n < S::columns; ++n)
      for (int i = 0; i < 4; ++i) total[n][i] += sums[n][i];
  }
  const int g = static_cast<int>(threadIdx.x) % 32 / 4, t = static_cast<int>(threadIdx.x) % 4;
  float* out = scores + (part * R + row + g) * S::stride + column + 2 * t;
  GBAN_UNROLL
  for (int n = 0; n < S::columns; ++n)
    for (int i = 0; i < 4; ++i) out[(i / 2) * 8 * S::stride + 8 * n + i % 2] = total[n][i];
}

// The score at (row, column) of a tile that score_tile wrote.
template <int R, int C>
__device__ inline float score_at(const float* scores, int row, int column) {
  float sum = 0.0f;
  for (int part = 0; part < Shares<R, C>::splits; ++part)
    sum += scores[(part * R + row) * Shares<R, C>::stride + column];
  return sum;
}

// tanh(x) = 1 - 2u. exp overflows to infinity and underflows to zero where tanh is 1 and -1, which
// is right; a NaN stays one.
__device__ inline float tanh_complement(float x) {
  return __fdividef(1.0f, __expf(2.0f * x) + 1.0f);
}

__device__ inline float exp_tanh(float u) { return __expf(1.0f - 2.0f * u); }

// Sum over groups of C neighbouring lanes; all get it.
template <int C>
__device__ inline float sum_lanes(float x) {
  for (int step = C / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xFFFFFFFFu, x, step);
  return x;
}

// How threads walk over an R x C tile elementwise: C neighbouring lanes a row.
template <int R, int C>
struct Walk {
  static constexpr int lines = kThreads / C;  // rows at a time
  static constexpr int count = R / lines;
  static_assert(C <= 32 && R % lines == 0, "");
  __device__ static int row(int i) { return static_cast<int>(threadIdx.x) / C + i * lines; }
  __device__ static int column() { return static_cast<int>(threadIdx.x) % C; }
};

// Column sums of a tile out of each thread's part; true for the C threads that hold one. Every
// thread of the block must call it. `columns` is [lines][C] of shared memory.
template <int R, int C>
__device__ inline bool sum_columns(float* columns, float part, float* sum) {
  using W = Walk<R, C>;
  columns[threadIdx.x] = part;
  __syncthreads();
  *sum = 0.0f;
  if (threadIdx.x >= C) return false;
  for (int line = 0; line < W::lines; ++line) *sum += columns[line * C + W::column()];
  return true;
}

}  // namespace gban::cuda
