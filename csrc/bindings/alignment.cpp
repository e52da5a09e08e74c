#include "gban/alignment.h"

#include <pybind11/numpy.h>

#include <stdexcept>

#include "bindings.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

template <typename T>
using Dense = py::array_t<T, py::array::c_style>;
using Lengths = Dense<std::int64_t>;

template <typename T>
py::tuple align_pool(const Dense<T>& speech, const Dense<T>& text, const Lengths& speech_lengths,
                     const Lengths& text_lengths) {
  if (speech.ndim() != 3 || text.ndim() != 3 || speech.shape(0) != text.shape(0) ||
      speech.shape(2) != text.shape(2))
    throw std::invalid_argument("speech [B, K, D] and text [B, L, D] must agree in B and D");
  const py::ssize_t batch = speech.shape(0), steps = speech.shape(1);
  const py::ssize_t words = text.shape(1), states = speech.shape(2);
  for (const Lengths* lengths : {&speech_lengths, &text_lengths})
    if (lengths->ndim() != 1 || lengths->shape(0) != batch)
      throw std::invalid_argument("speech_lengths and text_lengths must have shape [B]");
  Dense<T> a_s({batch, states}), a_t({batch, states}), w_s({batch, steps}), w_t({batch, words});
  const AlignPool<T> args{batch,
                          steps,
                          words,
                          states,
                          speech.data(),
                          text.data(),
                          speech_lengths.data(),
                          text_lengths.data(),
                          a_s.mutable_data(),
                          a_t.mutable_data(),
                          w_s.mutable_data(),
                          w_t.mutable_data()};
  {
    py::gil_scoped_release release;
    align_pool_forward(args);
  }
  return py::make_tuple(a_s, a_t, w_s, w_t);
}

}  // namespace

void init_alignment(py::module_& module) {
  // noconvert: a silent conversion would hide a wrong number type from the caller.
  module.def("align_pool", &align_pool<float>, py::arg("speech").noconvert(),
             py::arg("text").noconvert(), py::arg("speech_lengths"), py::arg("text_lengths"));
  module.def("align_pool", &align_pool<double>, py::arg("speech").noconvert(),
             py::arg("text").noconvert(), py::arg("speech_lengths"), py::arg("text_lengths"));
}

}  // namespace gban::bindings
