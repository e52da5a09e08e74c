// What kernels need beyond plain CUDA C++, each behind a function with a host twin.
//
// A kernel that includes this file and uses, of CUDA itself, only 1-D blocks, up to 2-D grids,
// __syncthreads, __syncwarp, full-mask shuffles, __threadfence and atomicAdd compiles for sm_80 and
// later by nvcc, and as C++17 with GBAN_SHIM defined, where csrc/tests/shim runs it on the CPU.
// Shared memory is dynamic only: shared_memory() is the block's, as large as launch() was told.
#pragma once

#include "gban/numeric.h"

#if defined(GBAN_SHIM)
#include "shim.h"
#else

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace gban::dev {

using Stream = cudaStream_t;

// The block's dynamic shared memory, at least 16-byte aligned.
__device__ __forceinline__ unsigned char* shared_memory() {
  extern __shared__ __align__(16) unsigned char gban_shared[];
  return gban_shared;
}

// Memory operations that order the others, over the whole GPU: enough for a barrier across the
// blocks of a cooperative launch without any __threadfence.
__device__ __forceinline__ unsigned load_acquire(const unsigned* p) {
  unsigned value;
  asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(value) : "l"(p) : "memory");
  return value;
}

__device__ __forceinline__ void store_release(unsigned* p, unsigned value) {
  asm volatile("st.release.gpu.u32 [%0], %1;" : : "l"(p), "r"(value) : "memory");
}

// The same towards the host, for memory of the host's that is mapped.
__device__ __forceinline__ void store_release_system(unsigned* p, unsigned value) {
  asm volatile("st.release.sys.u32 [%0], %1;" : : "l"(p), "r"(value) : "memory");
}

// Returns what *p was. Acquires and releases.
__device__ __forceinline__ unsigned atomic_add(unsigned* p, unsigned value) {
  unsigned before;
  asm volatile("atom.add.acq_rel.gpu.u32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(p), "r"(value)
               : "memory");
  return before;
}

// An 8-byte word is written and read whole, past the first-level cache. Neither function orders
// other memory: what a reader must know travels in the word.
__device__ __forceinline__ std::uint64_t load_word(const std::uint64_t* p) {
  std::uint64_t word;
  asm volatile("ld.relaxed.gpu.u64 %0, [%1];" : "=l"(word) : "l"(p) : "memory");
  return word;
}

__device__ __forceinline__ void store_word(std::uint64_t* p, std::uint64_t word) {
  asm volatile("st.relaxed.gpu.u64 [%0], %1;" : : "l"(p), "l"(word) : "memory");
}

// The body of every waiting loop: while (load_acquire(p) == old) spin();
__device__ __forceinline__ void spin() { __nanosleep(32); }

// Starts copying 16 bytes from global to shared memory, both 16-byte aligned; where !valid, writes
// zeros and does not touch the source. The bytes may be used by this thread after a
// copy_async_wait that covers them, by the block's other threads after a __syncthreads on top.
__device__ __forceinline__ void copy_async16(void* shared_dst, const void* global_src, bool valid) {
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(shared_dst));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(to), "l"(global_src), "r"(bytes)
               : "memory");
}

// Closes a group: the copies this thread has started since the last commit. A group may be empty.
__device__ __forceinline__ void copy_async_commit() {
  asm volatile("cp.async.commit_group;" : : : "memory");
}

// Waits until at most the N groups committed last may still be under way.
template <int N>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" : : "n"(N) : "memory");
}

// d[16, 8] += a[16, 16] b[16, 8] by one warp: fp16 or bf16 inputs, two a register, fp32 sums.
// With g = lane / 4, t = lane % 4, element pairs low half first:
//   a[0] = a(g, 2t..2t+1)   a[1] = a(g+8, 2t..)   a[2] = a(g, 2t+8..)   a[3] = a(g+8, 2t+8..)
//   b[0] = b(2t..2t+1, g)   b[1] = b(2t+8.., g)
//   d[0], d[1] = d(g, 2t), d(g, 2t+1)             d[2], d[3] = d(g+8, 2t), d(g+8, 2t+1)
// The last argument only names the type: Half{} or BFloat16{}.
#define GBAN_MMA_M16N8K16(type, name)                                            \
  __device__ __forceinline__ void mma_m16n8k16(float* d, const std::uint32_t* a, \
                                               const std::uint32_t* b, type) {   \
    asm("mma.sync.aligned.m16n8k16.row.col.f32." name "." name                   \
        ".f32 {%0, %1, %2, %3}, "                                                \
        "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                          \
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                         \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));     \
  }
GBAN_MMA_M16N8K16(Half, "f16")
GBAN_MMA_M16N8K16(BFloat16, "bf16")
#undef GBAN_MMA_M16N8K16

// d[16, 8] += a[16, 8] b[8, 8] by one warp: inputs are fp32 bits whose low 13 bits are ignored
// (round_tf32 first), fp32 sums. d as above, and
//   a[0] = a(g, t)   a[1] = a(g+8, t)   a[2] = a(g, t+4)   a[3] = a(g+8, t+4)
//   b[0] = b(t, g)   b[1] = b(t+4, g)
__device__ __forceinline__ void mma_m16n8k8_tf32(float* d, const std::uint32_t* a,
                                                 const std::uint32_t* b) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, "
      "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

namespace detail {

template <typename T>
struct Same {
  using type = T;
};

inline void check(cudaError_t status, const char* what, const char* function) {
  if (status == cudaSuccess) return;
  throw std::runtime_error(std::string(function) + ": " + what + ": " + cudaGetErrorString(status));
}

}  // namespace detail

// The one way to start a kernel. Asynchronous; a cooperative launch has all its blocks on the GPU
// at once or fails. Throws std::runtime_error that names the calling function and CUDA's reason.
template <typename Params>
void launch(void (*kernel)(Params), dim3 grid, int block, std::size_t shared_bytes, Stream stream,
            bool cooperative, const typename detail::Same<Params>::type& params,
            const char* function = __builtin_FUNCTION()) {
  static_assert(sizeof(Params) <= 4096, "kernel parameters are at most 4 KiB");
  const void* entry = reinterpret_cast<const void*>(kernel);
  if (shared_bytes > 48 * 1024)
    detail::check(cudaFuncSetAttribute(entry, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                       static_cast<int>(shared_bytes)),
                  "shared memory", function);
  void* arguments[] = {const_cast<Params*>(&params)};
  const dim3 threads(static_cast<unsigned>(block));
  detail::check(
      cooperative
          ? cudaLaunchCooperativeKernel(entry, grid, threads, arguments, shared_bytes, stream)
          : cudaLaunchKernel(entry, grid, threads, arguments, shared_bytes, stream),
      "launch", function);
}

}  // namespace gban::dev

#endif
