// The launchers of gban/alignment_cuda.h for the three storage types, on the current device.
#include "alignment_launch.cuh"

namespace gban::cuda {
namespace {

DeviceLimits current_limits() {
  int device = 0;
  DeviceLimits limits{};
  const auto ask = [&](int* value, cudaDeviceAttr attribute) {
    dev::detail::check(cudaDeviceGetAttribute(value, attribute, device), "device", "align_pool");
  };
  dev::detail::check(cudaGetDevice(&device), "device", "align_pool");
  ask(&limits.processors, cudaDevAttrMultiProcessorCount);
  ask(&limits.shared_block, cudaDevAttrMaxSharedMemoryPerBlockOptin);
  ask(&limits.shared_processor, cudaDevAttrMaxSharedMemoryPerMultiprocessor);
  return limits;
}

}  // namespace

template <typename T>
bool align_pool_fits(std::int64_t states) {
  const DeviceLimits limits = current_limits();
  return states >= 8 && states % 8 == 0 && states <= kMaxStates &&
         plan_forward<T>({1, 1, 1, states}, limits).fits() &&
         plan_backward<T>(states, limits).fits();
}

template <typename T>
Workspace align_pool_workspace(const AlignSizes& sizes) {
  return forward_workspace<T>(sizes, current_limits());
}

template <typename T>
void align_pool_forward(const AlignForward<T>& a, void* workspace, StreamHandle stream) {
  launch_forward(a, workspace, current_limits(), stream);
}

template <typename T>
void align_pool_backward(const AlignBackward<T>& a, float* scratch, StreamHandle stream) {
  launch_backward(a, scratch, current_limits(), stream);
}

#define GBAN_INSTANTIATE(T)                                                         \
  template bool align_pool_fits<T>(std::int64_t);                                   \
  template Workspace align_pool_workspace<T>(const AlignSizes&);                    \
  template void align_pool_forward<T>(const AlignForward<T>&, void*, StreamHandle); \
  template void align_pool_backward<T>(const AlignBackward<T>&, float*, StreamHandle);
GBAN_INSTANTIATE(float)
GBAN_INSTANTIATE(Half)
GBAN_INSTANTIATE(BFloat16)
#undef GBAN_INSTANTIATE

}  // namespace gban::cuda
