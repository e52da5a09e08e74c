// The Python module's CUDA half on the shim: gban_edge/ops/alignment_cuda.py can call it with
// memory of the CPU, so that tests reach every line between Python and the kernels' bodies.
#include <pybind11/pybind11.h>

#include "../bindings/bindings.h"
#include "alignment_launch.cuh"
#include "gban/devices.h"
#include "shim.h"

namespace gban::cuda {

void emulate_bilstm(int processors);  // emulated_bilstm.cpp

namespace {

DeviceLimits emulated{8, 166912, 167936};  // a Jetson Orin

}  // namespace

DeviceGuard::DeviceGuard(int) {}
DeviceGuard::~DeviceGuard() = default;

template <typename T>
bool align_pool_fits(std::int64_t states) {
  return states >= 8 && states % 8 == 0 && states <= kMaxStates &&
         plan_forward<T>({1, 1, 1, states}, emulated).fits() &&
         plan_backward<T>(states, emulated).fits();
}

template <typename T>
Workspace align_pool_workspace(const AlignSizes& sizes) {
  return forward_workspace<T>(sizes, emulated);
}

template <typename T>
void align_pool_forward(const AlignForward<T>& a, void* workspace, StreamHandle) {
  launch_forward(a, workspace, emulated, nullptr);
}

template <typename T>
void align_pool_backward(const AlignBackward<T>& a, float* scratch, StreamHandle) {
  launch_backward(a, scratch, emulated, nullptr);
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

PYBIND11_MODULE(_emulated, module) {
  module.doc() = "The CUDA kernels on the CPU, for tests.";
  gban::bindings::init_alignment_cuda(module);
  gban::bindings::init_bilstm_cuda(module);
  module.def("cuda_built", [] { return true; });
  module.def("set_device", [](int processors, int shared_block) {
    gban::cuda::emulated = {processors, shared_block, shared_block + 1024};
    gban::cuda::emulate_bilstm(processors);
  });
  module.def("set_schedule", [](std::uint64_t seed) { shim::options().seed = seed; });
}
