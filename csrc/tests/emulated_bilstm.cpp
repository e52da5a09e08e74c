// The functions of gban/bilstm_cuda.h on the shim, for emulated_module.cpp and the engine's test,
// and the launchers themselves, for bilstm_cuda_test.cpp.
// The small test sizes of hidden units (32, 64) are let in.
#include "bilstm_launch.cuh"
#include "runtime.cuh"

namespace gban::cuda {
namespace {

BiLstmLimits limits() { return {dev::processors(), true}; }

}  // namespace

template <typename T>
std::string bilstm_refusal(std::int64_t hidden) {
  return refusal(sizeof(T), hidden, limits());
}

template <typename T>
std::size_t bilstm_packed_bytes(std::int64_t width, std::int64_t hidden, std::int64_t layers) {
  check_pack(sizeof(T), width, hidden, layers, limits());
  return static_cast<std::size_t>(packed_bytes<T>(width, hidden, layers));
}

template <typename T>
void bilstm_pack(const LstmWeights* weights, std::int64_t width, std::int64_t hidden,
                 std::int64_t layers, void* packed) {
  check_pack(sizeof(T), width, hidden, layers, limits());
  pack_weights<T>(weights, width, hidden, layers, packed);
}

template <typename T>
Workspace bilstm_workspace(const BiLstm<T>& a) {
  return plan_workspace(a, limits());
}

template <typename T>
void bilstm_project(const BiLstm<T>& a, void* workspace, StreamHandle stream) {
  launch_project(a, workspace, limits(), reinterpret_cast<Stream>(stream));
}

template <typename T>
void bilstm_recur(const BiLstm<T>& a, void* workspace, StreamHandle stream) {
  launch_recur(a, workspace, limits(), reinterpret_cast<Stream>(stream));
}

#define GBAN_INSTANTIATE(T)                                                                  \
  template void launch_project<T>(const BiLstm<T>&, void*, const BiLstmLimits&, Stream);     \
  template void launch_recur<T>(const BiLstm<T>&, void*, const BiLstmLimits&, Stream);       \
  template std::string bilstm_refusal<T>(std::int64_t);                                      \
  template std::size_t bilstm_packed_bytes<T>(std::int64_t, std::int64_t, std::int64_t);     \
  template void bilstm_pack<T>(const LstmWeights*, std::int64_t, std::int64_t, std::int64_t, \
                               void*);                                                       \
  template Workspace bilstm_workspace<T>(const BiLstm<T>&);                                  \
  template void bilstm_project<T>(const BiLstm<T>&, void*, StreamHandle);                    \
  template void bilstm_recur<T>(const BiLstm<T>&, void*, StreamHandle);
GBAN_INSTANTIATE(float)
GBAN_INSTANTIATE(Half)
#undef GBAN_INSTANTIATE

}  // namespace gban::cuda
