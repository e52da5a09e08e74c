// The functions of gban/bilstm_cuda.h on the shim, for one file of a program to include. Unlike a
// GPU's they take the small H that the kernels have for tests.
#pragma once

#include "bilstm_launch.cuh"
#include "runtime.cuh"

namespace gban::cuda {

inline BiLstmLimits emulated_limits() { return {dev::processors(), true}; }

template <typename T>
std::string bilstm_refusal(std::int64_t hidden) {
  return refusal(sizeof(T), hidden, emulated_limits());
}

template <typename T>
std::size_t bilstm_packed_bytes(std::int64_t width, std::int64_t hidden, std::int64_t layers) {
  return static_cast<std::size_t>(packed_bytes<T>(width, hidden, layers));
}

template <typename T>
void bilstm_pack(const LstmWeights* weights, std::int64_t width, std::int64_t hidden,
                 std::int64_t layers, void* packed) {
  pack_weights<T>(weights, width, hidden, layers, packed);
}

template <typename T>
Workspace bilstm_workspace(const BiLstm<T>& a) {
  return plan_workspace(a, emulated_limits());
}

template <typename T>
void bilstm_project(const BiLstm<T>& a, void* workspace, StreamHandle stream) {
  launch_project(a, workspace, emulated_limits(), reinterpret_cast<Stream>(stream));
}

template <typename T>
void bilstm_recur(const BiLstm<T>& a, void* workspace, StreamHandle stream) {
  launch_recur(a, workspace, emulated_limits(), reinterpret_cast<Stream>(stream));
}

}  // namespace gban::cuda
