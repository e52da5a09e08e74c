// Runs the BiLSTM's CUDA kernels on the shim: random problems, memory as a caller would have it,
// and their results.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <tuple>

#include "bilstm_gold.h"
#include "bilstm_launch.cuh"
#include "shim.h"

namespace gban::cuda {
// Compiled in emulated_bilstm.cpp, once for all tests.
#define GBAN_ELSEWHERE(T)                                                                       \
  extern template void launch_project<T>(const BiLstm<T>&, void*, const BiLstmLimits&, Stream); \
  extern template void launch_recur<T>(const BiLstm<T>&, void*, const BiLstmLimits&, Stream);
GBAN_ELSEWHERE(float)
GBAN_ELSEWHERE(Half)
#undef GBAN_ELSEWHERE
}  // namespace gban::cuda

namespace bilstm_driver {

using bilstm_gold::Numbers;
using gban::Half;
namespace cuda = gban::cuda;

template <typename T>
double rounded(double x) {
  return gban::to_float(gban::from_float<T>(static_cast<float>(x)));
}

struct Shape {
  std::int64_t B, H, layers;
  std::vector<std::int64_t> K, width;  // of each sequence
  int processors;
};

// One sequence: inputs and weights are numbers that T holds.
struct Sequence {
  std::int64_t K, width;
  std::vector<std::int64_t> lengths;    // [B]
  std::vector<std::vector<Numbers>> x;  // [B][K][width]
  std::vector<std::vector<bilstm_gold::Direction>> layers;
};

template <typename T>
Numbers draw(std::mt19937_64& rng, std::size_t n, double bound) {
  std::uniform_real_distribution<double> uniform(-bound, bound);
  Numbers values(n);
  for (double& v : values) v = rounded<T>(uniform(rng));
  return values;
}

template <typename T>
Sequence random_sequence(std::mt19937_64& rng, const Shape& shape, int number, bool ragged) {
  Sequence s{shape.K[number], shape.width[number], {}, {}, {}};
  for (std::int64_t b = 0; b < shape.B; ++b) {
    s.lengths.push_back(ragged ? 1 + static_cast<std::int64_t>(rng() % s.K) : s.K);
    s.x.emplace_back();
    for (std::int64_t k = 0; k < s.K; ++k) s.x.back().push_back(draw<T>(rng, s.width, 1.5));
  }
  const double bound = 1.7 / std::sqrt(static_cast<double>(shape.H));
  const std::size_t rows = 4 * shape.H;
  for (std::int64_t layer = 0; layer < shape.layers; ++layer) {
    const std::int64_t width = layer ? 2 * shape.H : s.width;
    s.layers.emplace_back();
    for (int d = 0; d < 2; ++d)
      s.layers.back().push_back({draw<T>(rng, rows * width, bound),
                                 draw<T>(rng, rows * shape.H, bound), draw<float>(rng, rows, bound),
                                 draw<float>(rng, rows, bound)});
  }
  return s;
}

// Packed as the device would have it.
template <typename T>
std::vector<uint4> packed(const Sequence& s, std::int64_t H) {
  std::vector<std::vector<float>> kept;
  const auto keep = [&](const Numbers& from) {
    kept.emplace_back(from.begin(), from.end());
    return kept.back().data();
  };
  std::vector<gban::cuda::LstmWeights> weights;
  kept.reserve(8 * s.layers.size());
  for (const auto& both : s.layers)
    for (const auto& d : both)
      weights.push_back({keep(d.w_ih), keep(d.w_hh), keep(d.b_ih), keep(d.b_hh)});
  const auto layers = static_cast<std::int64_t>(s.layers.size());
  std::vector<uint4> memory(cuda::packed_bytes<T>(s.width, H, layers) / sizeof(uint4));
  cuda::pack_weights<T>(weights.data(), s.width, H, layers, memory.data());
  return memory;
}

// Rows in memory that ends, under AddressSanitizer, in a red zone; NaN wherever nothing is given.
template <typename T>
struct Memory {
  std::vector<T> data;
  std::int64_t row, batch;

  Memory(std::int64_t B, std::int64_t K, std::int64_t width, std::int64_t gap)
      : data(static_cast<std::size_t>(B * (K * (width + gap) + gap)), gban::from_float<T>(NAN)),
        row(width + gap),
        batch(K * (width + gap) + gap) {}
  T& at(std::int64_t b, std::int64_t k, std::int64_t i) { return data[b * batch + k * row + i]; }
  template <typename U>
  gban::Rows<U> rows() {
    return {data.data(), batch, row};
  }
};

// The workspace of one H, T and GPU: what lies in its counters stays from call to call.
template <typename T>
std::vector<uint4>& workspace(const cuda::BiLstm<T>& a, const cuda::BiLstmLimits& device) {
  static std::map<std::pair<std::int64_t, int>, std::vector<uint4>> all;
  const gban::cuda::Workspace w = cuda::plan_workspace(a, device);
  std::vector<uint4>& memory = all[{a.hidden, device.processors}];
  if (memory.empty()) memory.resize(w.counter_bytes / sizeof(uint4));
  const std::size_t counters = w.counter_bytes / sizeof(uint4);
  memory.resize(counters);
  memory.resize(w.bytes / sizeof(uint4), uint4{~0u, ~0u, ~0u, ~0u});  // NaN
  return memory;
}

template <typename T>
struct Outputs {
  std::vector<Memory<T>> states;
  std::vector<std::vector<float>> last;

  bool same(const Outputs& o) const {
    for (std::size_t i = 0; i < last.size(); ++i)
      if (std::memcmp(last[i].data(), o.last[i].data(), last[i].size() * sizeof(float)) ||
          std::memcmp(states[i].data.data(), o.states[i].data.data(),
                      states[i].data.size() * sizeof(T)))
        return false;
    return true;
  }
};

// How lengths are given, and what stands between rows.
struct Way {
  int length_bytes;  // 0: no lengths
  std::int64_t gap;
};

template <typename T>
Outputs<T> run(const std::vector<Sequence>& sequences, const Shape& shape, const Way& way) {
  Outputs<T> out;
  cuda::BiLstm<T> a{shape.B, shape.H, shape.layers, static_cast<int>(sequences.size()), {}};
  std::vector<std::vector<uint4>> weights;
  std::vector<Memory<T>> inputs;
  std::vector<std::vector<std::int32_t>> narrow;
  for (const Sequence& s : sequences) {
    inputs.emplace_back(shape.B, s.K, s.width, way.gap);
    for (std::int64_t b = 0; b < shape.B; ++b)  // NaN beyond the true lengths
      for (std::int64_t k = 0; k < std::min(s.lengths[b], s.K); ++k)
        for (std::int64_t i = 0; i < s.width; ++i)
          inputs.back().at(b, k, i) = gban::from_float<T>(static_cast<float>(s.x[b][k][i]));
    weights.push_back(packed<T>(s, shape.H));
    narrow.emplace_back(s.lengths.begin(), s.lengths.end());
    out.states.emplace_back(shape.B, s.K, 2 * shape.H, way.gap);
    out.last.emplace_back(shape.B * 2 * shape.H, NAN);
  }
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& s = sequences[i];
    const void* lengths = way.length_bytes == 4 ? static_cast<const void*>(narrow[i].data())
                                                : static_cast<const void*>(s.lengths.data());
    a.sequences[i] = {s.K,
                      s.width,
                      inputs[i].template rows<const T>(),
                      way.length_bytes ? lengths : nullptr,
                      way.length_bytes,
                      weights[i].data(),
                      out.states[i].template rows<T>(),
                      out.last[i].data()};
  }
  const cuda::BiLstmLimits device{shape.processors, true};
  auto& memory = workspace(a, device);
  cuda::launch_project(a, memory.data(), device, nullptr);
  cuda::launch_recur(a, memory.data(), device, nullptr);
  return out;
}

}  // namespace bilstm_driver
