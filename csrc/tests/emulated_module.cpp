// The Python module's CUDA half on the shim: gban_edge/ops/alignment_cuda.py can call it with
// memory of the CPU, so that tests reach every line between Python and the kernels' bodies.
#include <pybind11/pybind11.h>

#include "../bindings/bindings.h"
#include "engine_host.cuh"
#include "gban/devices.h"
#include "shim.h"

namespace gban::cuda {

DeviceGuard::DeviceGuard(int) {}
DeviceGuard::~DeviceGuard() = default;

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
