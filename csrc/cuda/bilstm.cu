// The functions of gban/bilstm_cuda.h for both storage types, on the current device.
#include "bilstm_launch.cuh"

namespace gban::cuda {
namespace {

BiLstmLimits current_limits() {
  int device = 0;
  BiLstmLimits limits{};
  dev::detail::check(cudaGetDevice(&device), "device", "bilstm");
  dev::detail::check(
      cudaDeviceGetAttribute(&limits.processors, cudaDevAttrMultiProcessorCount, device), "device",
      "bilstm");
  return limits;
}

}  // namespace

template <typename T>
std::string bilstm_refusal(std::int64_t hidden) {
  return refusal(sizeof(T), hidden, current_limits());
}

template <typename T>
std::size_t bilstm_packed_bytes(std::int64_t width, std::int64_t hidden, std::int64_t layers) {
  check_pack(sizeof(T), width, hidden, layers, {});
  return static_cast<std::size_t>(packed_bytes<T>(width, hidden, layers));
}

template <typename T>
void bilstm_pack(const LstmWeights* weights, std::int64_t width, std::int64_t hidden,
                 std::int64_t layers, void* packed) {
  check_pack(sizeof(T), width, hidden, layers, {});
  pack_weights<T>(weights, width, hidden, layers, packed);
}

template <typename T>
Workspace bilstm_workspace(const BiLstm<T>& a) {
  return plan_workspace(a, current_limits());
}

template <typename T>
void bilstm_project(const BiLstm<T>& a, void* workspace, StreamHandle stream) {
  launch_project(a, workspace, current_limits(), stream);
}

template <typename T>
void bilstm_recur(const BiLstm<T>& a, void* workspace, StreamHandle stream) {
  launch_recur(a, workspace, current_limits(), stream);
}

#define GBAN_INSTANTIATE(T)                                                                  \
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
