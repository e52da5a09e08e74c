// The Python module's CUDA half on the shim: gban_edge/ops/alignment_cuda.py can call it with
// memory of the CPU, so that tests reach every line between Python and the kernels' bodies.
#include <pybind11/pybind11.h>

#include "../bindings/bindings.h"
#include "alignment_launch.cuh"
#include "engine_host.cuh"
#include "gban/devices.h"
#include "shim.h"

namespace gban::cuda {
namespace {

DeviceLimits limits() { return {dev::processors(), dev::shared_block(), dev::shared_processor()}; }

}  // namespace

DeviceGuard::DeviceGuard(int) {}
DeviceGuard::~DeviceGuard() = default;

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
void align_pool_forward(const AlignForward<T>& a, void* workspace, StreamHandle) {
  launch_forward(a, workspace, limits(), nullptr);
}

template <typename T>
void align_pool_backward(const AlignBackward<T>& a, float* scratch, StreamHandle) {
  launch_backward(a, scratch, limits(), nullptr);
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
  gban::bindings::init_engine_cuda(module);
  gban::bindings::init_bilstm_cuda(module);
  module.def("cuda_built", [] { return true; });
  module.def("set_device", [](int processors, int shared_block) {
    gban::dev::emulated() = {processors, shared_block, shared_block + 1024};
  });
  // The engine's next call of this kind fails; afterwards the device is lost.
  module.def("lose_device", [] { shim::faults().launch = 1; });
  module.def("find_device", [] { shim::faults() = {}; });
  module.def("set_schedule", [](std::uint64_t seed) { shim::options().seed = seed; });
}
