// Small kernels that are right, one for each thing the shim offers. They are CUDA too:
// shim_kernels.cu goes through nvcc.
#pragma once

#include "device.cuh"

namespace kernels {

namespace dev = gban::dev;

__device__ __forceinline__ float warp_sum(float x) {
#pragma unroll
  for (int flip = 16; flip > 0; flip /= 2) x += __shfl_xor_sync(0xFFFFFFFFu, x, flip);
  return x;
}

struct Rows {
  const float* in;  // [gridDim.y, gridDim.x, n]
  float* out;       // [gridDim.y, gridDim.x], the sum of each row
  int n;
};

// One block a row, over a 2-D grid.
__global__ void __launch_bounds__(256) sum_rows(Rows p) {
  float* partial = reinterpret_cast<float*>(dev::shared_memory());
  const int row = static_cast<int>(blockIdx.y * gridDim.x + blockIdx.x);
  const int me = static_cast<int>(threadIdx.x), warps = static_cast<int>(blockDim.x) / warpSize;
  float sum = 0.0f;
  for (int i = me; i < p.n; i += static_cast<int>(blockDim.x)) sum += p.in[row * p.n + i];
  sum = warp_sum(sum);
  if (me % warpSize == 0) partial[me / warpSize] = sum;
  __syncthreads();
  if (me >= warpSize) return;
  sum = warp_sum(me < warps ? partial[me] : 0.0f);
  if (me == 0) p.out[row] = sum;
}

struct Ring {
  float* cells;       // [2, gridDim.x]
  unsigned* arrived;  // zero at the start
  int steps;
};

// All blocks of a cooperative launch meet here; `round` counts from 1.
__device__ __forceinline__ void grid_barrier(unsigned* arrived, unsigned round) {
  __syncthreads();
  if (threadIdx.x == 0) {
    const unsigned all = gridDim.x * round;
    if (dev::atomic_add(arrived, 1u) + 1 < all)
      while (dev::load_acquire(arrived) < all) dev::spin();
  }
  __syncthreads();
}

// Each step, every block's cell becomes its own plus its left neighbour's, of the step before.
__global__ void pass_round(Ring p) {
  const unsigned n = gridDim.x, me = blockIdx.x, left = (me + n - 1) % n;
  for (int step = 0; step < p.steps; ++step) {
    const float* from = p.cells + static_cast<unsigned>(step % 2) * n;
    float* to = p.cells + static_cast<unsigned>((step + 1) % 2) * n;
    if (threadIdx.x == 0) to[me] = from[me] + from[left];
    grid_barrier(p.arrived, static_cast<unsigned>(step) + 1);
  }
}

struct Words {
  float* cells;          // [gridDim.x]
  std::uint64_t* words;  // [2, gridDim.x], of a step number above a value; zero at the start
  unsigned steps;
};

__device__ __forceinline__ float receive_word(const std::uint64_t* p, unsigned step) {
  std::uint64_t word = dev::load_word(p);
  while (static_cast<unsigned>(word >> 32) != step) word = dev::load_word(p);
  return gban::bits_float(static_cast<std::uint32_t>(word));
}

// Each step, every block's cell becomes the sum of its neighbours' and its own, handed over without
// any barrier. Hearing of step n from a neighbour says that it has read step n - 1.
__global__ void pass_words(Words p) {
  if (threadIdx.x) return;
  const unsigned n = gridDim.x, me = blockIdx.x, left = (me + n - 1) % n, right = (me + 1) % n;
  float cell = p.cells[me];
  for (unsigned step = 1; step <= p.steps; ++step) {
    std::uint64_t* set = p.words + step % 2 * n;
    dev::store_word(set + me, static_cast<std::uint64_t>(step) << 32 | gban::float_bits(cell));
    cell += receive_word(set + left, step) + receive_word(set + right, step);
  }
  p.cells[me] = cell;
}

struct Total {
  const float* in;    // [gridDim.x, blockDim.x]
  float* partial;     // [gridDim.x]
  unsigned* tickets;  // zero at the start
  float* out;
};

// The last block to finish adds up what all have left: fence, ticket, fence.
__global__ void sum_by_last_block(Total p) {
  int* last = reinterpret_cast<int*>(dev::shared_memory());
  const float x = p.in[blockIdx.x * blockDim.x + threadIdx.x];
  const float sum = warp_sum(x);  // blocks of one warp
  if (threadIdx.x == 0) {
    p.partial[blockIdx.x] = sum;
    __threadfence();
    *last = atomicAdd(p.tickets, 1u) + 1 == gridDim.x;
    __threadfence();
  }
  __syncthreads();
  if (!*last) return;
  float mine = 0.0f;
  for (unsigned i = threadIdx.x; i < gridDim.x; i += blockDim.x) mine += p.partial[i];
  mine = warp_sum(mine);
  if (threadIdx.x == 0) *p.out = mine;
}

struct Stream {
  const float* in;  // [tiles, 4 blockDim.x], of which the first `n` floats exist; 4 divides n
  float* out;  // [4 blockDim.x]: the sum over the tiles, lanes of 16 bytes turned by one thread
  int tiles, n;
};

__device__ __forceinline__ void fetch_tile(const Stream& p, int tile) {
  float* buffers = reinterpret_cast<float*>(dev::shared_memory());
  const int width = 4 * static_cast<int>(blockDim.x), me = static_cast<int>(threadIdx.x);
  const int at = tile * width + 4 * me;
  const bool valid = tile < p.tiles && at < p.n;
  if (tile < p.tiles)
    dev::copy_async16(buffers + tile % 3 * width + 4 * me, valid ? p.in + at : p.in, valid);
  dev::copy_async_commit();
}

// Three buffers, two tiles under way; each thread reads what its neighbour fetched.
__global__ void sum_tiles(Stream p) {
  const float* buffers = reinterpret_cast<const float*>(dev::shared_memory());
  const int width = 4 * static_cast<int>(blockDim.x), me = static_cast<int>(threadIdx.x);
  const int other = (me + 1) % static_cast<int>(blockDim.x);
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  fetch_tile(p, 0);
  fetch_tile(p, 1);
  for (int tile = 0; tile < p.tiles; ++tile) {
    dev::copy_async_wait<1>();
    __syncthreads();
    fetch_tile(p, tile + 2);
    for (int i = 0; i < 4; ++i) sum[i] += buffers[tile % 3 * width + 4 * other + i];
  }
  for (int i = 0; i < 4; ++i) p.out[4 * me + i] = sum[i];
}

template <typename T>
struct Product {
  const T* a;      // [16, k]
  const T* b;      // [8, k]: the second factor's columns
  float* product;  // [16, 8]
  int k;           // a multiple of 16, of 8 for tf32
};

template <typename T>
__device__ __forceinline__ void store_product(const Product<T>& p, const float* d) {
  const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
  for (unsigned i = 0; i < 4; ++i) p.product[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
}

template <typename T>
__global__ void multiply16(Product<T> p) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int k = 0; k < p.k; k += 16) {
    std::uint32_t a[4], b[2];
    for (int i = 0; i < 4; ++i) {
      const T* pair = p.a + (g + i % 2 * 8) * p.k + k + 2 * t + i / 2 * 8;
      a[i] = gban::pack2(pair[0], pair[1]);
    }
    for (int i = 0; i < 2; ++i) {
      const T* pair = p.b + g * p.k + k + 2 * t + i * 8;
      b[i] = gban::pack2(pair[0], pair[1]);
    }
    dev::mma_m16n8k16(d, a, b, T{});
  }
  store_product(p, d);
}

__global__ void multiply_tf32(Product<float> p) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int k = 0; k < p.k; k += 8) {
    std::uint32_t a[4], b[2];
    for (int i = 0; i < 4; ++i)
      a[i] = gban::float_bits(p.a[(g + i % 2 * 8) * p.k + k + t + i / 2 * 4]);
    for (int i = 0; i < 2; ++i) b[i] = gban::float_bits(p.b[g * p.k + k + t + i * 4]);
    dev::mma_m16n8k8_tf32(d, a, b);
  }
  store_product(p, d);
}

struct Shuffles {
  int* out;  // [3, 32]
};

// Widths below the warp's and lanes that have no partner.
__global__ void shuffle_all(Shuffles p) {
  const int me = static_cast<int>(threadIdx.x);
  p.out[me] = __shfl_sync(0xFFFFFFFFu, me, 3, 8);
  p.out[32 + me] = __shfl_down_sync(0xFFFFFFFFu, me, 5);
  p.out[64 + me] = __shfl_xor_sync(0xFFFFFFFFu, me, 6, 8);
}

}  // namespace kernels
