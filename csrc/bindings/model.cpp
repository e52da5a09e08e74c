#include "gban/model.h"

#include <pybind11/stl.h>

#include "bindings.h"
#include "gban/text.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

py::dict config_dict(const Config& config) {
  using namespace py::literals;
  return py::dict("vocabulary"_a = config.vocabulary, "classes"_a = config.classes,
                  "features"_a = config.features, "conv_filters"_a = config.conv_filters,
                  "conv_kernel"_a = config.conv_kernel, "embedding"_a = config.embedding,
                  "text_filters"_a = config.text_filters, "text_kernels"_a = config.text_kernels,
                  "hidden"_a = config.hidden, "lstm_layers"_a = config.lstm_layers,
                  "fusion"_a = config.fusion, "classifier"_a = config.classifier);
}

// All but the weights' values, which the runtimes alone need.
py::dict load(const std::string& path) {
  using namespace py::literals;
  Model model;
  {
    py::gil_scoped_release release;
    model = load_model(path);
  }
  py::dict shapes;
  for (const auto& [name, tensor] : model.weights)
    shapes[py::str(name)] = py::tuple(py::cast(tensor.shape));
  return py::dict("name"_a = model.name, "config"_a = config_dict(model.config),
                  "labels"_a = model.labels, "vocabulary"_a = model.vocabulary,
                  "mean"_a = model.mean, "deviation"_a = model.deviation,
                  "temperature"_a = model.temperature, "weights"_a = shapes);
}

}  // namespace

void init_model(py::module_& module) {
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const FileNotFound& error) {
      PyErr_SetString(PyExc_FileNotFoundError, error.what());
    }
  });
  module.def("load_model", &load, py::arg("path"));
  module.def("tokenize", [](const py::bytes& text) { return tokenize(text); }, py::arg("text"));
  module.def(
      "encode",
      [](const std::vector<std::string>& words, const py::bytes& text) {
        return Vocabulary(words).encode(text);
      },
      py::arg("words"), py::arg("text"));
}

}  // namespace gban::bindings
