// The BiLSTM on a GPU, for callers that own device memory: addresses, strides and a stream.
#include "gban/bilstm_cuda.h"

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings.h"
#include "gban/devices.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

using Address = std::uintptr_t;
using Sizes = std::array<std::int64_t, 3>;                        // B, H, layers
using Strided = std::tuple<Address, std::int64_t, std::int64_t>;  // address, strides in elements
using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
// Steps, width, input, lengths, bytes of a length, weights, states, last state.
using Sequence =
    std::tuple<std::int64_t, std::int64_t, Strided, Address, int, Address, Strided, Address>;
using Direction = std::array<Floats, 4>;  // w_ih, w_hh, b_ih, b_hh

template <typename T>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}
template <typename T>
Rows<T> rows(const Strided& s) {
  return {at<T>(std::get<0>(s)), std::get<1>(s), std::get<2>(s)};
}

// Calls with a value of the storage type that `type` names.
template <typename Call>
auto with_type(const std::string& type, const Call& call) {
  if (type == "float32") return call(float{});
  if (type == "float16") return call(Half{});
  throw std::invalid_argument("type must be float32 or float16, got " + type);
}

template <typename T>
cuda::BiLstm<T> arguments(const Sizes& sizes, const std::vector<Sequence>& sequences) {
  if (sequences.empty() || sequences.size() > cuda::kMaxSequences)
    throw std::invalid_argument("sequences must be 1 or 2, got " +
                                std::to_string(sequences.size()));
  cuda::BiLstm<T> a{sizes[0], sizes[1], sizes[2], static_cast<int>(sequences.size()), {}};
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const auto& [steps, width, input, lengths, length_bytes, weights, states, last] = sequences[i];
    a.sequences[i] = {steps,
                      width,
                      rows<const T>(input),
                      at<const void>(lengths),
                      length_bytes,
                      at<const void>(weights),
                      rows<T>(states),
                      at<float>(last)};
  }
  return a;
}

std::string refusal(const std::string& type, int device, std::int64_t hidden) {
  const cuda::DeviceGuard guard(device);
  return with_type(type, [&](auto t) { return cuda::bilstm_refusal<decltype(t)>(hidden); });
}

void require_shape(const Floats& array, const std::string& name,
                   const std::vector<std::int64_t>& shape) {
  std::string wanted, got;
  for (const std::int64_t n : shape) wanted += (wanted.empty() ? "" : ", ") + std::to_string(n);
  for (py::ssize_t i = 0; i < array.ndim(); ++i)
    got += (i ? ", " : "") + std::to_string(array.shape(i));
  if (got != wanted)
    throw std::invalid_argument(name + " must have shape [" + wanted + "], got [" + got + "]");
}

// weights[layer][direction], as torch.nn.LSTM holds them.
py::bytes pack(const std::string& type, std::int64_t width, std::int64_t hidden,
               const std::vector<std::array<Direction, 2>>& weights) {
  std::vector<cuda::LstmWeights> all;
  for (std::size_t layer = 0; layer < weights.size(); ++layer)
    for (const Direction& d : weights[layer]) {
      const std::string of = "layer " + std::to_string(layer) + ": ";
      require_shape(d[0], of + "w_ih", {4 * hidden, layer ? 2 * hidden : width});
      require_shape(d[1], of + "w_hh", {4 * hidden, hidden});
      require_shape(d[2], of + "b_ih", {4 * hidden});
      require_shape(d[3], of + "b_hh", {4 * hidden});
      all.push_back({d[0].data(), d[1].data(), d[2].data(), d[3].data()});
    }
  const auto layers = static_cast<std::int64_t>(weights.size());
  return with_type(type, [&](auto tag) {
    using T = decltype(tag);
    std::string packed(cuda::bilstm_packed_bytes<T>(width, hidden, layers), '\0');
    cuda::bilstm_pack<T>(all.data(), width, hidden, layers, packed.data());
    return py::bytes(packed);
  });
}

std::pair<std::size_t, std::size_t> workspace(const std::string& type, int device,
                                              const Sizes& sizes,
                                              const std::vector<Sequence>& sequences) {
  const cuda::DeviceGuard guard(device);
  const cuda::Workspace w = with_type(type, [&](auto tag) {
    return cuda::bilstm_workspace(arguments<decltype(tag)>(sizes, sequences));
  });
  return {w.counter_bytes, w.bytes};
}

void project(const std::string& type, int device, Address stream, const Sizes& sizes,
             const std::vector<Sequence>& sequences, Address memory) {
  const py::gil_scoped_release release;
  const cuda::DeviceGuard guard(device);
  with_type(type, [&](auto tag) {
    cuda::bilstm_project(arguments<decltype(tag)>(sizes, sequences), at<void>(memory),
                         at<CUstream_st>(stream));
  });
}

void recur(const std::string& type, int device, Address stream, const Sizes& sizes,
           const std::vector<Sequence>& sequences, Address memory) {
  const py::gil_scoped_release release;
  const cuda::DeviceGuard guard(device);
  with_type(type, [&](auto tag) {
    cuda::bilstm_recur(arguments<decltype(tag)>(sizes, sequences), at<void>(memory),
                       at<CUstream_st>(stream));
  });
}

}  // namespace

void init_bilstm_cuda(py::module_& module) {
  module.def("cuda_bilstm_refusal", &refusal);
  module.def("cuda_bilstm_pack", &pack);
  module.def("cuda_bilstm_workspace", &workspace);
  module.def("cuda_bilstm_project", &project);
  module.def("cuda_bilstm_recur", &recur);
}

}  // namespace gban::bindings
