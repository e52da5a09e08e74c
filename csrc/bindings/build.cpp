// What this build is and what it found on this machine.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings.h"
#include "gban/isa.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (Isa isa : available_isas()) names.emplace_back(isa_name(isa));
  return names;
}

}  // namespace

void init_build(py::module_& module) {
  module.def("available_isas", &isas);
  module.def("current_isa", [] { return std::string(isa_name(current_isa())); });
  module.def("set_isa", &set_isa, py::arg("name"));
}

}  // namespace gban::bindings
