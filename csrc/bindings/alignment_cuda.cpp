// The alignment on a GPU, for callers that own device memory: addresses, strides and a stream.
#include "gban/alignment_cuda.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

#include "bindings.h"
#include "gban/devices.h"

namespace py = pybind11;

namespace gban::bindings {
namespace {

using Address = std::uintptr_t;
using Sizes = std::array<std::int64_t, 4>;                        // B, K, L, D
using Strided = std::tuple<Address, std::int64_t, std::int64_t>;  // address, strides in elements

template <typename T>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}
template <typename T>
Rows<const T> rows(const Strided& s) {
  return {at<const T>(std::get<0>(s)), std::get<1>(s), std::get<2>(s)};
}
AlignSizes sizes_of(const Sizes& s) { return {s[0], s[1], s[2], s[3]}; }

// Calls with a value of the storage type that `type` names.
template <typename Call>
auto with_type(const std::string& type, const Call& call) {
  if (type == "float32") return call(float{});
  if (type == "float16") return call(Half{});
  if (type == "bfloat16") return call(BFloat16{});
  throw std::invalid_argument("type must be float32, float16 or bfloat16, got " + type);
}

bool fits(const std::string& type, int device, std::int64_t states) {
  const cuda::DeviceGuard guard(device);
  return with_type(type, [&](auto t) { return cuda::align_pool_fits<decltype(t)>(states); });
}

std::pair<std::size_t, std::size_t> workspace(const std::string& type, int device,
                                              const Sizes& sizes) {
  const cuda::DeviceGuard guard(device);
  const cuda::Workspace w = with_type(
      type, [&](auto t) { return cuda::align_pool_workspace<decltype(t)>(sizes_of(sizes)); });
  return {w.counter_bytes, w.bytes};
}

// out: a_s, a_t, w_s, w_t, alpha, beta, r, c; alpha and beta may be 0.
void forward(const std::string& type, int device, Address stream, const Sizes& sizes,
             const Strided& speech, const Strided& text, Address speech_lengths,
             Address text_lengths, const std::array<Address, 8>& out, Address memory) {
  const py::gil_scoped_release release;
  const cuda::DeviceGuard guard(device);
  with_type(type, [&](auto tag) {
    using T = decltype(tag);
    const AlignForward<T> a = {sizes_of(sizes),
                               rows<T>(speech),
                               rows<T>(text),
                               at<const std::int64_t>(speech_lengths),
                               at<const std::int64_t>(text_lengths),
                               at<T>(out[0]),
                               at<T>(out[1]),
                               at<T>(out[2]),
                               at<T>(out[3]),
                               at<float>(out[6]),
                               at<float>(out[7]),
                               at<T>(out[4]),
                               at<T>(out[5])};
    cuda::align_pool_forward(a, at<void>(memory), at<CUstream_st>(stream));
  });
}

// in: r, c, da_s, da_t, dw_s, dw_t, of which the last two may be 0; out: dS, dT, scratch.
void backward(const std::string& type, int device, Address stream, const Sizes& sizes,
              const Strided& speech, const Strided& text, Address speech_lengths,
              Address text_lengths, const std::array<Address, 6>& in,
              const std::array<Address, 3>& out) {
  const py::gil_scoped_release release;
  const cuda::DeviceGuard guard(device);
  with_type(type, [&](auto tag) {
    using T = decltype(tag);
    const AlignBackward<T> a = {sizes_of(sizes),
                                rows<T>(speech),
                                rows<T>(text),
                                at<const std::int64_t>(speech_lengths),
                                at<const std::int64_t>(text_lengths),
                                at<const float>(in[0]),
                                at<const float>(in[1]),
                                at<const T>(in[2]),
                                at<const T>(in[3]),
                                at<const T>(in[4]),
                                at<const T>(in[5]),
                                at<T>(out[0]),
                                at<T>(out[1])};
    cuda::align_pool_backward(a, at<float>(out[2]), at<CUstream_st>(stream));
  });
}

}  // namespace

void init_alignment_cuda(py::module_& module) {
  module.def("cuda_align_pool_fits", &fits);
  module.def("cuda_align_pool_workspace", &workspace);
  module.def("cuda_align_pool_forward", &forward);
  module.def("cuda_align_pool_backward", &backward);
}

}  // namespace gban::bindings
