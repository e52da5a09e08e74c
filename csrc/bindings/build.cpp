// What this build is and what it found on this machine.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings.h"
#include "gban/devices.h"
#include "gban/isa.h"
#include "gban_facts.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (Isa isa : available_isas()) names.emplace_back(isa_name(isa));
  return names;
}

std::string compiler() {
#if defined(__clang__)
  return "Clang " __clang_version__;
#elif defined(__GNUC__)
  return "GCC " __VERSION__;
#else
  return "unknown";
#endif
}

#ifdef GBAN_HAS_CUDA
py::dict cuda_devices() {
  const cuda::Devices all = cuda::devices();
  py::list found;
  for (const cuda::Device& d : all.found) {
    py::dict one;
    one["name"] = d.name;
    one["capability"] = py::make_tuple(d.major, d.minor);
    one["processors"] = d.processors;
    one["memory"] = d.memory;
    found.append(one);
  }
  py::dict facts;
  facts["found"] = found;
  facts["reason"] = all.reason;
  facts["runtime"] = all.runtime;
  facts["driver"] = all.driver;
  return facts;
}
#endif

}  // namespace

void init_build(py::module_& module) {
  module.def("available_isas", &isas);
  module.def("current_isa", [] { return std::string(isa_name(current_isa())); });
  module.def("set_isa", &set_isa, py::arg("name"));
  module.def("compiler", &compiler);
  // The hash of csrc/cuda and csrc/include that this was built from, and the architectures.
  module.attr("KERNEL_SOURCES") = GBAN_KERNEL_SOURCES;
  module.attr("GPU_RUNS") = GBAN_GPU_RUNS;  // JSON
#ifdef GBAN_HAS_CUDA
  module.def("cuda_built", [] { return true; });
  module.def("cuda_devices", &cuda_devices);
  module.attr("CUDA_COMPILER") = GBAN_CUDA_COMPILER;
  module.attr("CUDA_ARCHITECTURES") = GBAN_CUDA_ARCHITECTURES;
#else
  module.def("cuda_built", [] { return false; });
#endif
}

}  // namespace gban::bindings
