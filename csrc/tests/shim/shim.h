// Runs CUDA kernel bodies on the CPU, for tests: the host half of csrc/cuda/device.cuh.
//
// How it models the hardware. Every CUDA thread is a fiber that gives way only where the hardware
// may let others pass: barriers, warp collectives, spins, and (seed other than 0) atomics. Shared
// memory is as large as the launch asks for, filled with NaN, and under AddressSanitizer it ends in
// a red zone. An asynchronous copy leaves NaN behind and arrives at the wait that covers it. The
// blocks of an ordinary launch run one after another in shuffled order; those of a cooperative
// launch all live at once. With GBAN_SHIM_THREADS every CUDA thread is an OS thread instead, for
// ThreadSanitizer, which then sees only the orderings that CUDA promises: __syncthreads over the
// block, __syncwarp over the warp, acquire and release; shuffles, mma and the end of a block order
// no memory.
//
// What it cannot say: time, occupancy, bank conflicts, weak memory order, the error of fast
// mathematics. A missing barrier shows in fiber mode only where a schedule turns it into a wrong
// value, so run several seeds. "The same place" is file and line: two calls of one helper with a
// barrier inside look alike. A loop that polls with a plain or volatile load never gives way: poll
// with load_acquire or load_word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "gban/numeric.h"
#include "vocabulary.h"

namespace shim {

// A kernel broke a rule: the message names launch, block, threads and what happened.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Granularity {
  warp,   // a warp runs until all its threads wait; then another is chosen
  thread  // any thread that can run may be next
};

struct Options {
  std::uint64_t seed = 0;  // 0: blocks, warps and lanes in order; else a pseudo-random schedule
  Granularity granularity = Granularity::warp;
  std::size_t shared_limit = 227 * 1024;  // kSharedLimitSm87 for the smaller one
};
constexpr std::size_t kSharedLimitSm87 = 163 * 1024;

// Which engine this build has; ThreadSanitizer's wants smaller blocks and grids.
#if defined(GBAN_SHIM_THREADS)
constexpr bool kEngineIsThreads = true;
#else
constexpr bool kEngineIsThreads = false;
#endif

// Those of every launch from now on.
Options& options();

// From here to the end of the namespace: what the CUDA functions below are made of, not for tests.

// Where in the sources a thread stands; the functions' defaults are the caller's place.
struct Place {
  const char* what;
  const char* file;
  int line;
};

void meet_block(const Place& place);
void meet_warp(const Place& place);
std::uint32_t exchange(std::uint32_t value, int source_lane, const Place& place);
enum class Fragment { fp16, bf16, tf32 };
void multiply(float* d, const std::uint32_t* a, const std::uint32_t* b, Fragment kind,
              const Place& place);
void start_copy(void* to, const void* from);
void commit_copies();
void finish_copies(int groups_left);
unsigned char* block_shared_memory();
int lane();
[[noreturn]] void refuse(const char* what, const Place& place);

// Lets others run: while spinning, always; after an atomic, where the schedule is random.
void give_way_spinning(const Place& place);
void after_atomic();
// A __threadfence makes this thread's next relaxed atomic one that acquires and releases.
void fence();
bool take_fence();

void run(const std::function<void()>& thread_body, dim3 grid, int block, std::size_t shared_bytes,
         bool cooperative, const Place& launch);

// What a stream holds while it is being captured; elsewhere work is done at once.
struct Queue {
  bool capturing = false;
  std::vector<std::function<void()>> recorded;
};
void submit(Queue* queue, const std::function<void()>& work);

inline int checked_mask(unsigned mask, const Place& place) {
  if (mask != 0xFFFFFFFFu) refuse("the mask must name all 32 lanes", place);
  return lane();
}

}  // namespace shim

#define GBAN_SHIM_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline void __syncthreads(GBAN_SHIM_PLACE) { shim::meet_block({"__syncthreads", file, line}); }

inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, GBAN_SHIM_PLACE) {
  const shim::Place place{"__syncwarp", file, line};
  shim::checked_mask(mask, place);
  shim::meet_warp(place);
}

template <typename T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, GBAN_SHIM_PLACE) {
  const shim::Place place{"__shfl_sync", file, line};
  const int lane = shim::checked_mask(mask, place), first = lane / width * width;
  const int from = first + (source & (width - 1));
  return shim_cast<T>(shim::exchange(shim_cast<std::uint32_t>(value), from, place));
}

template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32, GBAN_SHIM_PLACE) {
  const shim::Place place{"__shfl_xor_sync", file, line};
  const int lane = shim::checked_mask(mask, place), last = lane / width * width + width - 1;
  const int from = (lane ^ flip) > last ? lane : lane ^ flip;
  return shim_cast<T>(shim::exchange(shim_cast<std::uint32_t>(value), from, place));
}

template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, GBAN_SHIM_PLACE) {
  const shim::Place place{"__shfl_down_sync", file, line};
  const int lane = shim::checked_mask(mask, place), last = lane / width * width + width - 1;
  const int from = lane + static_cast<int>(by) > last ? lane : lane + static_cast<int>(by);
  return shim_cast<T>(shim::exchange(shim_cast<std::uint32_t>(value), from, place));
}

inline void __threadfence() { shim::fence(); }

template <typename T>
inline T atomicAdd(T* p, T value) {
  static_assert(sizeof(T) == 4 && std::is_integral<T>::value, "int and unsigned only");
  const T before = shim::take_fence() ? __atomic_fetch_add(p, value, __ATOMIC_ACQ_REL)
                                      : __atomic_fetch_add(p, value, __ATOMIC_RELAXED);
  shim::after_atomic();
  return before;
}

namespace gban::dev {

// Null, or what runtime.h makes. A launch runs to its end before it returns, or is recorded where
// its stream is being captured.
using Stream = shim::Queue*;

inline unsigned char* shared_memory() { return shim::block_shared_memory(); }

inline unsigned load_acquire(const unsigned* p, GBAN_SHIM_PLACE) {
  shim::give_way_spinning({"load_acquire", file, line});
  return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

inline void store_release(unsigned* p, unsigned value) {
  __atomic_store_n(p, value, __ATOMIC_RELEASE);
  shim::after_atomic();
}

inline void store_release_system(unsigned* p, unsigned value) { store_release(p, value); }

inline unsigned atomic_add(unsigned* p, unsigned value) {
  const unsigned before = __atomic_fetch_add(p, value, __ATOMIC_ACQ_REL);
  shim::after_atomic();
  return before;
}

inline std::uint64_t load_word(const std::uint64_t* p, GBAN_SHIM_PLACE) {
  if (reinterpret_cast<std::uintptr_t>(p) % 8)
    shim::refuse("the word is not 8-byte aligned", {"load_word", file, line});
  shim::give_way_spinning({"load_word", file, line});
  return __atomic_load_n(p, __ATOMIC_RELAXED);
}

inline void store_word(std::uint64_t* p, std::uint64_t word) {
  __atomic_store_n(p, word, __ATOMIC_RELAXED);
  shim::after_atomic();
}

inline void spin(GBAN_SHIM_PLACE) { shim::give_way_spinning({"spin", file, line}); }

inline void copy_async16(void* shared_dst, const void* global_src, bool valid, GBAN_SHIM_PLACE) {
  const auto misaligned = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16; };
  const shim::Place place{"copy_async16", file, line};
  if (misaligned(shared_dst)) shim::refuse("the destination is not 16-byte aligned", place);
  if (misaligned(global_src)) shim::refuse("the source is not 16-byte aligned", place);
  std::memset(shared_dst, 0xFF, 16);  // undefined until the wait
  if (valid) {                        // read now too, so that a bad address is reported here
    volatile std::uint32_t touched = static_cast<const std::uint32_t*>(global_src)[0];
    touched = static_cast<const std::uint32_t*>(global_src)[3];
    static_cast<void>(touched);
  }
  shim::start_copy(shared_dst, valid ? global_src : nullptr);
}

inline void copy_async_commit() { shim::commit_copies(); }

template <int N>
inline void copy_async_wait() {
  shim::finish_copies(N);
}

inline void mma_m16n8k16(float* d, const std::uint32_t* a, const std::uint32_t* b, Half,
                         GBAN_SHIM_PLACE) {
  shim::multiply(d, a, b, shim::Fragment::fp16, {"mma_m16n8k16 of Half", file, line});
}

inline void mma_m16n8k16(float* d, const std::uint32_t* a, const std::uint32_t* b, BFloat16,
                         GBAN_SHIM_PLACE) {
  shim::multiply(d, a, b, shim::Fragment::bf16, {"mma_m16n8k16 of BFloat16", file, line});
}

inline void mma_m16n8k8_tf32(float* d, const std::uint32_t* a, const std::uint32_t* b,
                             GBAN_SHIM_PLACE) {
  shim::multiply(d, a, b, shim::Fragment::tf32, {"mma_m16n8k8_tf32", file, line});
}

namespace detail {
template <typename T>
struct Same {
  using type = T;
};
}  // namespace detail

// Runs the whole grid, or records it, before it returns. Throws shim::Fault.
template <typename Params>
void launch(void (*kernel)(Params), dim3 grid, int block, std::size_t shared_bytes, Stream stream,
            bool cooperative, const typename detail::Same<Params>::type& params,
            const char* function = __builtin_FUNCTION(), GBAN_SHIM_PLACE) {
  static_assert(sizeof(Params) <= 4096, "kernel parameters are at most 4 KiB");
  const shim::Place place{function, file, line};
  shim::submit(stream, [=, copy = Params(params)] {
    shim::run([&] { kernel(copy); }, grid, block, shared_bytes, cooperative, place);
  });
}

}  // namespace gban::dev
