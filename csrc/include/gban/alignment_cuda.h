// The alignment on a GPU: launchers. Declared where there is no CUDA too; alignment.h says what
// the structs hold, all pointers here being the device's.
#pragma once

#include <cstddef>

#include "gban/alignment.h"
#include "gban/numeric.h"

struct CUstream_st;

namespace gban::cuda {

using StreamHandle = CUstream_st*;  // cudaStream_t

// What rows must satisfy: 16-byte aligned bases and strides, D a multiple of 8 up to 1024.
constexpr std::int64_t kMaxStates = 1024;

// Bytes of device memory that a call needs beside its outputs, O(K + L) an utterance. The first
// counter_bytes must be zero before the first call and are zero again after each; calls that may
// run at the same time need workspaces of their own.
struct Workspace {
  std::size_t counter_bytes;
  std::size_t bytes;
};

// Whether the current device has kernels for D states. T: float, Half, BFloat16, here and below.
template <typename T>
bool align_pool_fits(std::int64_t states);

// For the current device.
template <typename T>
Workspace align_pool_workspace(const AlignSizes& sizes);

// One kernel. A length out of range gives NaN for its utterance; alpha and beta must be zero
// beyond the true lengths already. Throws std::invalid_argument or, from CUDA, std::runtime_error.
template <typename T>
void align_pool_forward(const AlignForward<T>& a, void* workspace, StreamHandle stream);

// Two kernels. `scratch` holds 3 * batch * (steps + words) floats.
template <typename T>
void align_pool_backward(const AlignBackward<T>& a, float* scratch, StreamHandle stream);

}  // namespace gban::cuda
