// Runs the alignment's CUDA kernels on the shim: memory as a caller would have it, and results.
#pragma once

#include <cstring>
#include <vector>

#include "alignment_gold.h"
#include "alignment_launch.cuh"
#include "shim.h"

namespace gban::cuda {
// Compiled in emulated_alignment.cpp, once for all tests.
#define GBAN_ELSEWHERE(T)                                                                       \
  extern template void launch_forward<T>(const AlignForward<T>&, void*, const DeviceLimits&,    \
                                         Stream);                                               \
  extern template void launch_backward<T>(const AlignBackward<T>&, float*, const DeviceLimits&, \
                                          Stream);
GBAN_ELSEWHERE(float)
GBAN_ELSEWHERE(Half)
GBAN_ELSEWHERE(BFloat16)
#undef GBAN_ELSEWHERE
}  // namespace gban::cuda

namespace cuda_driver {

using gban::BFloat16;
using gban::Half;
using gold::Numbers;
namespace cuda = gban::cuda;

template <typename T>
std::vector<T> narrow(const Numbers& from) {
  std::vector<T> to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = gban::from_float<T>(from[i]);
  return to;
}
template <typename T>
Numbers wide(const std::vector<T>& from) {
  Numbers to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = gban::to_float(from[i]);
  return to;
}
template <typename T>
double rounded(double x) {
  return gban::to_float(gban::from_float<T>(static_cast<float>(x)));
}

// A block of memory that starts at a multiple of 16 bytes and, under AddressSanitizer, ends in a
// red zone. What stands between the rows is NaN.
template <typename T>
struct View {
  std::vector<T> data;
  std::int64_t stride, batch_stride;

  View(const Numbers& from, std::int64_t B, std::int64_t rows, std::int64_t D, std::int64_t gap)
      : stride(D + gap), batch_stride(B ? rows * stride : 0) {
    data.assign(B * batch_stride, gban::from_float<T>(NAN));
    for (std::size_t i = 0; i < from.size(); ++i)
      data[i / D * stride + i % D] = gban::from_float<T>(static_cast<float>(from[i]));
  }
  gban::Rows<const T> get() const { return {data.data(), batch_stride, stride}; }
};

template <typename T>
struct Outputs {
  std::vector<T> a_s, a_t, w_s, w_t, alpha, beta, dS, dT;
  std::vector<float> r, c;

  explicit Outputs(const gold::Problem& p) {
    const T garbage = gban::from_float<T>(NAN);  // every number must be written
    a_s.assign(p.B * p.D, garbage), a_t = a_s;
    w_s.assign(p.B * p.K, garbage), w_t.assign(p.B * p.L, garbage);
    dS.assign(p.B * p.K * p.D, garbage), dT.assign(p.B * p.L * p.D, garbage);
    r.assign(p.B * p.K, NAN), c.assign(p.B * p.L, NAN);
    alpha.assign(p.B * p.L * p.K, gban::from_float<T>(0.0f)), beta = alpha;
  }

  bool same(const Outputs& o) const {
    const auto equal = [](const auto& x, const auto& y) {
      return x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof x[0]) == 0;
    };
    return equal(a_s, o.a_s) && equal(a_t, o.a_t) && equal(w_s, o.w_s) && equal(w_t, o.w_t) &&
           equal(alpha, o.alpha) && equal(beta, o.beta) && equal(dS, o.dS) && equal(dT, o.dT) &&
           equal(r, o.r) && equal(c, o.c);
  }
};

// One workspace for all calls: its counters must be zero again after each.
inline std::vector<float>& workspace(std::size_t bytes) {
  static std::vector<float> memory(cuda::kCounterBytes / sizeof(float), 0.0f);
  memory.resize(std::max(memory.size(), bytes / sizeof(float)));
  std::fill(memory.begin() + cuda::kCounterBytes / sizeof(float), memory.end(), NAN);
  return memory;
}

struct Case {
  gold::Problem problem;
  cuda::DeviceLimits device;
  std::int64_t gap;
  bool maps, upstream_weights, lengths;
};

template <typename T>
Outputs<T> run(const Case& c) {
  const gold::Problem& p = c.problem;
  Outputs<T> out(p);
  const gban::AlignSizes sizes{p.B, p.K, p.L, p.D};
  const View<T> speech(p.speech, p.B, p.K, p.D, c.gap), text(p.text, p.B, p.L, p.D, c.gap);
  const std::int64_t *k = c.lengths ? p.k.data() : nullptr, *l = c.lengths ? p.l.data() : nullptr;
  const gban::AlignForward<T> forward{sizes,
                                      speech.get(),
                                      text.get(),
                                      k,
                                      l,
                                      out.a_s.data(),
                                      out.a_t.data(),
                                      out.w_s.data(),
                                      out.w_t.data(),
                                      out.r.data(),
                                      out.c.data(),
                                      c.maps ? out.alpha.data() : nullptr,
                                      c.maps ? out.beta.data() : nullptr};
  auto& memory = workspace(cuda::forward_workspace<T>(sizes, c.device).bytes);
  cuda::launch_forward(forward, memory.data(), c.device, nullptr);
  const std::vector<T> d_a_s = narrow<T>(p.d_a_s), d_a_t = narrow<T>(p.d_a_t);
  const std::vector<T> d_w_s = narrow<T>(p.d_w_s), d_w_t = narrow<T>(p.d_w_t);
  std::vector<float> scratch(3 * p.B * (p.K + p.L), NAN);
  const bool w = c.upstream_weights;
  const gban::AlignBackward<T> backward{sizes,
                                        speech.get(),
                                        text.get(),
                                        k,
                                        l,
                                        out.r.data(),
                                        out.c.data(),
                                        d_a_s.data(),
                                        d_a_t.data(),
                                        w ? d_w_s.data() : nullptr,
                                        w ? d_w_t.data() : nullptr,
                                        out.dS.data(),
                                        out.dT.data()};
  cuda::launch_backward(backward, scratch.data(), c.device, nullptr);
  return out;
}

}  // namespace cuda_driver
