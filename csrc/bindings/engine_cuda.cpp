// The CUDA engine on NumPy arrays.
#include "gban/engine_cuda.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings.h"
#include "engine_arrays.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

CudaWait wait_of(const std::string& name) {
  if (name == "spin") return CudaWait::spin;
  if (name == "block") return CudaWait::block;
  throw std::invalid_argument("wait must be one of spin, block, got " + name);
}

std::unique_ptr<CudaEngine> load(const std::string& path, const std::string& precision, int device,
                                 const std::string& wait) {
  const py::gil_scoped_release release;
  CudaOptions options;
  options.device = device;
  options.wait = wait_of(wait);
  return std::make_unique<CudaEngine>(load_model(path), precision_of(precision), options);
}

py::list run(const CudaEngine& engine, const std::vector<Features>& features,
             const std::vector<Words>& words) {
  EngineArrays arrays(features, words, engine.config(), true, true);
  {
    const py::gil_scoped_release release;
    engine.run(arrays.inputs(), arrays.outputs(), arrays.count());
  }
  return arrays.results();
}

// Without the GIL: a thread that waits for its turn must not keep it.
int prepare(const CudaEngine& engine, std::int64_t frames, std::int64_t words, std::int64_t count) {
  const py::gil_scoped_release release;
  return engine.prepare(frames, words, count);
}

}  // namespace

void init_engine_cuda(py::module_& module) {
  // Local: the tests load this into one process twice, compiled for a GPU and on the shim.
  py::class_<CudaEngine>(module, "CudaEngine", py::module_local())
      .def(py::init(&load), py::arg("path"), py::arg("precision") = "fp32", py::arg("device") = 0,
           py::arg("wait") = "spin")
      .def("run", &run, py::arg("features"), py::arg("words"))
      .def("prepare", &prepare, py::arg("frames"), py::arg("words"), py::arg("count") = 1)
      .def_property_readonly(
          "precision", [](const CudaEngine& engine) { return precision_name(engine.precision()); })
      .def_property_readonly("has_table", &CudaEngine::has_table)
      .def_property_readonly_static("MAX_FRAMES",
                                    [](const py::object&) { return CudaEngine::kMaxFrames; });
}

}  // namespace gban::bindings
