// The functions of gban/alignment_cuda.h on the shim, for emulated_module.cpp and the plugins'
// test, and the launchers themselves, for alignment_cuda_test.cpp.
#include "alignment_launch.cuh"
#include "runtime.cuh"

namespace gban::cuda {
namespace {

DeviceLimits limits() { return {dev::processors(), dev::shared_block(), dev::shared_processor()}; }

}  // namespace

template <typename T>
bool align_pool_fits(std::int64_t states) {
  return states >= 8 && states % 8 == 0 && states <= kMaxStates &&
         plan_forward<T>({1, 1, 1, states}, limits()).fits() &&
         plan_backward<T>(states, limits()).fits();
}

template <typename T>
Workspace align_pool_workspace(const AlignSizes& sizes) {
  return forward_workspace<T>(sizes, limits());
}

template <typename T>
void align_pool_forward(const AlignForward<T>& a, void* workspace, StreamHandle stream) {
  launch_forward(a, workspace, limits(), reinterpret_cast<Stream>(stream));
}

template <typename T>
void align_pool_backward(const AlignBackward<T>& a, float* scratch, StreamHandle stream) {
  launch_backward(a, scratch, limits(), reinterpret_cast<Stream>(stream));
}

#define GBAN_INSTANTIATE(T)                                                                       \
  template void launch_forward<T>(const AlignForward<T>&, void*, const DeviceLimits&, Stream);    \
  template void launch_backward<T>(const AlignBackward<T>&, float*, const DeviceLimits&, Stream); \
  template bool align_pool_fits<T>(std::int64_t);                                                 \
  template Workspace align_pool_workspace<T>(const AlignSizes&);                                  \
  template void align_pool_forward<T>(const AlignForward<T>&, void*, StreamHandle);               \
  template void align_pool_backward<T>(const AlignBackward<T>&, float*, StreamHandle);
GBAN_INSTANTIATE(float)
GBAN_INSTANTIATE(Half)
GBAN_INSTANTIATE(BFloat16)
#undef GBAN_INSTANTIATE

}  // namespace gban::cuda
