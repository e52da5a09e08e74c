// The alignment for NumPy arrays, on the CPU.
#include "gban/alignment.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bindings.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

template <typename T>
using Array = py::array_t<T, 0>;
template <typename T>
using Dense = py::array_t<T, py::array::c_style>;
using Lengths = std::optional<Dense<std::int64_t>>;

std::string shape_of(const py::array& a) {
  std::string text = "[";
  for (py::ssize_t i = 0; i < a.ndim(); ++i) text += (i ? ", " : "") + std::to_string(a.shape(i));
  return text + "]";
}

void require(bool holds, const char* name, const char* wanted, const py::array& got) {
  if (!holds)
    throw std::invalid_argument(std::string(name) + " must have shape " + wanted + ", got " +
                                shape_of(got));
}

// The array where its last dimension is dense and its strides are whole elements, else a copy.
template <typename T>
Array<T> with_dense_rows(const char* name, const char* shape, const Array<T>& a) {
  require(a.ndim() == 3, name, shape, a);
  const auto size = static_cast<py::ssize_t>(sizeof(T));
  const bool dense = a.shape(2) <= 1 || a.strides(2) == size;
  if (dense && a.strides(0) % size == 0 && a.strides(1) % size == 0) return a;
  return Dense<T>(a);
}

template <typename T>
Rows<const T> rows(const Array<T>& a) {
  const auto size = static_cast<py::ssize_t>(sizeof(T));
  return {a.data(), a.strides(0) / size, a.strides(1) / size};
}

template <typename T>
AlignSizes sizes(const Array<T>& speech, const Array<T>& text) {
  require(text.shape(0) == speech.shape(0) && text.shape(2) == speech.shape(2), "text",
          "[B, L, D] with the B and D of speech", text);
  require(speech.shape(0) == 0 || (speech.shape(1) > 0 && speech.shape(2) > 0), "speech",
          "[B, K, D] with at least one step", speech);
  require(text.shape(0) == 0 || text.shape(1) > 0, "text", "[B, L, D] with at least one step",
          text);
  return {speech.shape(0), speech.shape(1), text.shape(1), speech.shape(2)};
}

const std::int64_t* pointer(const char* name, const Lengths& lengths, const AlignSizes& s) {
  if (!lengths) return nullptr;
  require(lengths->ndim() == 1 && lengths->shape(0) == s.batch, name, "[B]", *lengths);
  return lengths->data();
}

// An output that the caller gets, or memory that only the computation needs.
template <typename T>
class Output {
 public:
  Output(bool wanted, std::initializer_list<py::ssize_t> shape) {
    if (wanted) {
      array_.emplace(Dense<T>(std::vector<py::ssize_t>(shape)));
      data_ = array_->mutable_data();
      return;
    }
    std::size_t size = 1;
    for (py::ssize_t n : shape) size *= static_cast<std::size_t>(n);
    scratch_.reset(new T[size]);
    data_ = scratch_.get();
  }
  T* data() const { return data_; }
  const std::optional<Dense<T>>& array() const { return array_; }

 private:
  std::optional<Dense<T>> array_;
  std::unique_ptr<T[]> scratch_;
  T* data_ = nullptr;
};

// a_s, a_t, w_s, w_t, alpha, beta, r, c, of which the last six are None unless asked for.
template <typename T>
py::tuple forward(const Array<T>& speech_in, const Array<T>& text_in, const Lengths& speech_lengths,
                  const Lengths& text_lengths, bool weights, bool maps, bool sums, int threads) {
  const Array<T> speech = with_dense_rows("speech", "[B, K, D]", speech_in);
  const Array<T> text = with_dense_rows("text", "[B, L, D]", text_in);
  const AlignSizes s = sizes(speech, text);
  const auto [B, K, L, D] = s;
  using Total = typename Sum<T>::Type;
  const Output<T> a_s(true, {B, D}), a_t(true, {B, D});
  const Output<T> w_s(weights, {B, K}), w_t(weights, {B, L});
  const Output<Total> r(sums, {B, K}), c(sums, {B, L});
  std::optional<Dense<T>> alpha, beta;
  if (maps) alpha.emplace(Dense<T>({B, L, K})), beta.emplace(Dense<T>({B, K, L}));
  const AlignForward<T> a = {s,
                             rows(speech),
                             rows(text),
                             pointer("speech_lengths", speech_lengths, s),
                             pointer("text_lengths", text_lengths, s),
                             a_s.data(),
                             a_t.data(),
                             w_s.data(),
                             w_t.data(),
                             r.data(),
                             c.data(),
                             maps ? alpha->mutable_data() : nullptr,
                             maps ? beta->mutable_data() : nullptr};
  {
    py::gil_scoped_release release;
    align_pool_forward(a, threads);
  }
  return py::make_tuple(a_s.array(), a_t.array(), w_s.array(), w_t.array(), alpha, beta, r.array(),
                        c.array());
}

using Single = Array<float>;
using Gradient = Dense<float>;

void same_shape(const char* name, const Gradient& got, const char* wanted, std::int64_t rows,
                std::int64_t columns) {
  require(got.ndim() == 2 && got.shape(0) == rows && got.shape(1) == columns, name, wanted, got);
}

py::tuple backward(const Single& speech_in, const Single& text_in, const Lengths& speech_lengths,
                   const Lengths& text_lengths, const Gradient& speech_sums,
                   const Gradient& text_sums, const Gradient& d_pooled_speech,
                   const Gradient& d_pooled_text, const std::optional<Gradient>& d_speech_weights,
                   const std::optional<Gradient>& d_text_weights, int threads) {
  const Single speech = with_dense_rows("speech", "[B, K, D]", speech_in);
  const Single text = with_dense_rows("text", "[B, L, D]", text_in);
  const AlignSizes s = sizes(speech, text);
  const auto [B, K, L, D] = s;
  same_shape("speech_sums", speech_sums, "[B, K]", B, K);
  same_shape("text_sums", text_sums, "[B, L]", B, L);
  same_shape("d_pooled_speech", d_pooled_speech, "[B, D]", B, D);
  same_shape("d_pooled_text", d_pooled_text, "[B, D]", B, D);
  if (d_speech_weights) same_shape("d_speech_weights", *d_speech_weights, "[B, K]", B, K);
  if (d_text_weights) same_shape("d_text_weights", *d_text_weights, "[B, L]", B, L);
  Gradient d_speech({B, K, D}), d_text({B, L, D});
  const AlignBackward<float> a = {s,
                                  rows(speech),
                                  rows(text),
                                  pointer("speech_lengths", speech_lengths, s),
                                  pointer("text_lengths", text_lengths, s),
                                  speech_sums.data(),
                                  text_sums.data(),
                                  d_pooled_speech.data(),
                                  d_pooled_text.data(),
                                  d_speech_weights ? d_speech_weights->data() : nullptr,
                                  d_text_weights ? d_text_weights->data() : nullptr,
                                  d_speech.mutable_data(),
                                  d_text.mutable_data()};
  {
    py::gil_scoped_release release;
    align_pool_backward(a, threads);
  }
  return py::make_tuple(d_speech, d_text);
}

}  // namespace

void init_alignment(py::module_& module) {
  using namespace py::literals;
  // noconvert: a silent conversion would hide a wrong number type from the caller.
  module.def("align_pool_forward", &forward<float>, "speech"_a.noconvert(), "text"_a.noconvert(),
             "speech_lengths"_a, "text_lengths"_a, "weights"_a, "maps"_a, "sums"_a, "threads"_a);
  module.def("align_pool_forward", &forward<double>, "speech"_a.noconvert(), "text"_a.noconvert(),
             "speech_lengths"_a, "text_lengths"_a, "weights"_a, "maps"_a, "sums"_a, "threads"_a);
  module.def("align_pool_backward", &backward, "speech"_a.noconvert(), "text"_a.noconvert(),
             "speech_lengths"_a, "text_lengths"_a, "speech_sums"_a, "text_sums"_a,
             "d_pooled_speech"_a, "d_pooled_text"_a, "d_speech_weights"_a, "d_text_weights"_a,
             "threads"_a);
}

}  // namespace gban::bindings
