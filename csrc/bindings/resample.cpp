// The resampler on NumPy arrays.
#include "gban/resample.h"

#include <pybind11/numpy.h>

#include <mutex>
#include <stdexcept>
#include <vector>

#include "bindings.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

using Dense = py::array_t<float, py::array::c_style>;

void check_mono(const Dense& pcm) {
  if (pcm.ndim() != 1) throw std::invalid_argument("pcm must have shape [samples]");
}

Dense array_of(const std::vector<float>& samples) {
  return Dense(static_cast<py::ssize_t>(samples.size()), samples.data());
}

// Python's threads may share one.
class SharedResampler {
 public:
  explicit SharedResampler(int rate) : resampler_(rate) {}

  Dense push(const Dense& pcm) {
    check_mono(pcm);
    const float* const from = pcm.data();
    const std::int64_t samples = pcm.shape(0);
    return array_of(locked([&](std::vector<float>& out) { resampler_.push(from, samples, out); }));
  }
  Dense finish() {
    return array_of(locked([&](std::vector<float>& out) { resampler_.finish(out); }));
  }

 private:
  template <typename F>
  std::vector<float> locked(F work) {
    std::vector<float> out;
    py::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex_);
    work(out);
    return out;
  }

  std::mutex mutex_;
  Resampler resampler_;
};

Dense resample_array(const Dense& pcm, int rate) {
  check_mono(pcm);
  const float* const from = pcm.data();
  const std::int64_t samples = pcm.shape(0);
  std::vector<float> out;
  {
    py::gil_scoped_release release;
    out = resample(from, samples, rate);
  }
  return array_of(out);
}

}  // namespace

void init_resample(py::module_& module) {
  const auto pcm = py::arg("pcm").noconvert();
  module.def("resample", &resample_array, pcm, py::arg("rate"));
  py::class_<SharedResampler>(module, "Resampler")
      .def(py::init<int>(), py::arg("rate"))
      .def("push", &SharedResampler::push, pcm)
      .def("finish", &SharedResampler::finish);
  module.attr("MIN_RATE") = kMinRate;
  module.attr("MAX_RATE") = kMaxRate;
}

}  // namespace gban::bindings
