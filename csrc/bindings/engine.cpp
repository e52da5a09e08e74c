// The CPU engine on NumPy arrays.
#include "gban/engine.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings.h"
#include "engine_arrays.h"
#include "gban/isa.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

class CpuEngine {
 public:
  CpuEngine(const std::string& path, const std::string& precision)
      : CpuEngine(load_model(path), precision_of(precision)) {}
  CpuEngine(const Model& model, Precision precision)
      : engine_(model, precision), isa_(isa_name(current_isa())) {}

  py::list run(const std::vector<Features>& features, const std::vector<Words>& words,
               int threads) const {
    EngineArrays arrays(features, words, engine_.config(), engine_.has_gates(),
                        engine_.has_alignment());
    {
      py::gil_scoped_release release;
      engine_.run(arrays.inputs(), arrays.outputs(), arrays.count(), threads);
    }
    return arrays.results();
  }

  std::vector<std::pair<std::string, double>> timings() const {
    std::vector<std::pair<std::string, double>> all;
    for (const Engine::Timing& t : engine_.timings()) all.emplace_back(t.stage, t.seconds);
    return all;
  }

  void measure(bool on) const { engine_.measure(on); }
  std::string precision() const { return precision_name(engine_.precision()); }
  std::string isa() const { return isa_; }

 private:
  Engine engine_;
  std::string isa_;  // that the weights are packed for
};

}  // namespace

void init_engine(py::module_& module) {
  py::class_<CpuEngine>(module, "Engine")
      .def(py::init([](const std::string& path, const std::string& precision) {
             const py::gil_scoped_release release;
             return std::make_unique<CpuEngine>(path, precision);
           }),
           py::arg("path"), py::arg("precision") = "fp32")
      .def("run", &CpuEngine::run, py::arg("features"), py::arg("words"), py::arg("threads") = 1)
      .def("measure", &CpuEngine::measure, py::arg("on"))
      .def("timings", &CpuEngine::timings)
      .def_property_readonly("isa", &CpuEngine::isa)
      .def_property_readonly("precision", &CpuEngine::precision);
  module.attr("MAX_WORDS") = kMaxWords;
}

}  // namespace gban::bindings
