#include "gban/frontend.h"

#include <pybind11/numpy.h>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "bindings.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

template <typename T>
using Dense = py::array_t<T, py::array::c_style>;

template <typename T>
void check_mono(const Dense<T>& pcm) {
  if (pcm.ndim() != 1) throw std::invalid_argument("pcm must have shape [samples]");
}

template <typename T>
Dense<float> extract(const Dense<T>& pcm) {
  check_mono(pcm);
  const std::int64_t samples = pcm.shape(0);
  Dense<float> features({frame_count(samples), std::int64_t{kFeatures}});
  const T* const from = pcm.data();
  float* const to = features.mutable_data();
  py::gil_scoped_release release;
  extract_features(from, samples, to);
  return features;
}

// Python's threads may share one: a microphone's pushes while another asks how much there is. The
// lock is taken without the GIL and never the other way round, so that nobody waits for ever.
class SharedFrontend {
 public:
  template <typename T>
  void push(const Dense<T>& pcm) {
    check_mono(pcm);
    const T* const from = pcm.data();
    const std::int64_t samples = pcm.shape(0);
    py::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex_);
    frontend_.push(from, samples);
  }

  Dense<float> finish() {
    auto rows = std::make_unique<std::vector<float>>();
    {
      py::gil_scoped_release release;
      const std::lock_guard<std::mutex> lock(mutex_);
      *rows = frontend_.finish();
    }
    const auto frames = static_cast<std::int64_t>(rows->size()) / kFeatures;
    const float* const data = rows->data();
    // The array keeps the vector alive; nothing is copied.
    py::capsule owner(rows.get(), [](void* p) { delete static_cast<std::vector<float>*>(p); });
    rows.release();
    return Dense<float>({frames, std::int64_t{kFeatures}}, data, owner);
  }

  std::int64_t samples() {
    py::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex_);
    return frontend_.samples();
  }

 private:
  std::mutex mutex_;
  Frontend frontend_;
};

}  // namespace

void init_frontend(py::module_& module) {
  // noconvert: a silent conversion would hide a wrong number type from the caller.
  const auto pcm = py::arg("pcm").noconvert();
  module.def("extract_features", &extract<float>, pcm);
  module.def("extract_features", &extract<double>, pcm);
  py::class_<SharedFrontend>(module, "Frontend")
      .def(py::init<>())
      .def("push", &SharedFrontend::push<float>, pcm)
      .def("push", &SharedFrontend::push<double>, pcm)
      .def("finish", &SharedFrontend::finish)
      .def_property_readonly("samples", &SharedFrontend::samples);
}

}  // namespace gban::bindings
