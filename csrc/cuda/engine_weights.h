// A model's weights as the engine's kernels read them, packed on the host. T is how matrices are
// stored: float or Half.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "../cpu/parallel.h"
#include "engine_plan.h"
#include "gban/bilstm_cuda.h"
#include "gban/model.h"

namespace gban::cuda {

// Mean, then 1 / deviation, [2][features].
inline std::vector<float> pack_standard(const Model& model) {
  std::vector<float> packed = model.mean;
  for (float deviation : model.deviation) packed.push_back(1.0f / deviation);
  return packed;
}

// The filters of all speech convolutions, as ConvLayer says. They are so few that they are kept as
// float; for Half their values are rounded.
template <typename T>
std::vector<float> pack_convs(const Model& model, const SpeechParams& plan) {
  std::vector<float> packed(static_cast<std::size_t>(round_up(plan.filter_floats, 4)), 0.0f);
  for (int l = 0; l < plan.layers; ++l) {
    const ConvLayer& layer = plan.layer[l];
    const std::string name = "speech.convs." + std::to_string(l);
    const float* weight = model.weight(name + ".weight").data;  // [out, in, kTaps]
    const float* bias = model.weight(name + ".bias").data;
    for (int f = 0; f < layer.out; ++f) {
      packed[layer.bias + f] = bias[f];
      for (int c = 0; c < layer.in; ++c)
        for (int tap = 0; tap < kTaps; ++tap)
          packed[layer.filters + c * layer.channel() + (f / kGroup * kTaps + tap) * kGroup +
                 f % kGroup] = to_float(from_float<T>(weight[(f * layer.in + c) * kTaps + tap]));
    }
  }
  return packed;
}

template <typename T>
std::vector<T> narrowed(const float* values, std::int64_t n) {
  std::vector<T> made(static_cast<std::size_t>(n));
  std::transform(values, values + n, made.begin(), [](float x) { return from_float<T>(x); });
  return made;
}

// [taps][embedding][filters] of all widths in a row.
inline std::vector<float> text_filters(const Model& model) {
  const Config& c = model.config;
  std::vector<float> packed;
  for (std::size_t i = 0; i < c.text_kernels.size(); ++i) {
    const std::int64_t width = c.text_kernels[i];
    const float* weight =
        model.weight("text.convs." + std::to_string(i) + ".weight").data;  // [filters, E, width]
    for (std::int64_t tap = 0; tap < width; ++tap)
      for (std::int64_t e = 0; e < c.embedding; ++e)
        for (std::int64_t f = 0; f < c.text_filters; ++f)
          packed.push_back(weight[(f * c.embedding + e) * width + tap]);
  }
  return packed;
}

inline std::vector<float> text_bias(const Model& model) {
  std::vector<float> packed;
  for (std::size_t i = 0; i < model.config.text_kernels.size(); ++i) {
    const float* bias = model.weight("text.convs." + std::to_string(i) + ".bias").data;
    packed.insert(packed.end(), bias, bias + model.config.text_filters);
  }
  return packed;
}

inline std::int64_t text_taps(const Config& c) {
  std::int64_t taps = 0;
  for (std::int64_t width : c.text_kernels) taps += width;
  return taps;
}

// Values of the table of word-filter products, [V][taps][filters].
inline std::int64_t table_values(const Config& c) {
  return c.vocabulary * text_taps(c) * c.text_filters;
}

template <typename T>
std::vector<T> make_table(const Model& model) {
  const Config& c = model.config;
  const std::int64_t taps = text_taps(c), E = c.embedding, F = c.text_filters;
  const std::vector<float> filters = text_filters(model);
  const float* vectors = model.weight("text.embedding.weight").data;
  std::vector<T> table(static_cast<std::size_t>(table_values(c)));
  const std::int64_t rows = c.vocabulary * taps;
  parallel_for(rows, std::max(1u, std::thread::hardware_concurrency()), [&](const auto& next) {
    std::vector<float> sums(static_cast<std::size_t>(F));
    for (std::int64_t row = next(); row < rows; row = next()) {
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (std::int64_t e = 0; e < E; ++e) {
        const float x = vectors[row / taps * E + e];
        const float* w = &filters[(row % taps * E + e) * F];
        for (std::int64_t f = 0; f < F; ++f) sums[f] += x * w[f];
      }
      std::transform(sums.begin(), sums.end(), &table[row * F],
                     [](float x) { return from_float<T>(x); });
    }
  });
  return table;
}

// [2 groups][fusion][4 D]: the rows of W_s, W_t and the gate's matrix, of eqs. 15-17 and 18-20.
template <typename T>
std::vector<T> pack_fusion(const Model& model) {
  const std::int64_t F = model.config.fusion;
  std::vector<T> packed;
  for (const char* group : {"aligned", "last"}) {
    const std::string name = std::string("fusion.") + group;
    for (std::int64_t f = 0; f < F; ++f)
      for (const char* part : {"speech", "text", "gate"}) {
        const Tensor& weight = model.weight(name + "." + part + ".weight");
        const std::int64_t n = weight.size() / F;
        const std::vector<T> row = narrowed<T>(weight.data + f * n, n);
        packed.insert(packed.end(), row.begin(), row.end());
      }
  }
  return packed;
}

// [rows][padded(n)] of a matrix [rows, n].
template <typename T>
std::vector<T> pack_padded(const Tensor& weight) {
  const std::int64_t rows = weight.shape[0], n = weight.shape[1],
                     wide = padded(static_cast<int>(n));
  std::vector<T> packed(static_cast<std::size_t>(rows * wide), from_float<T>(0.0f));
  for (std::int64_t row = 0; row < rows; ++row)
    std::transform(weight.data + row * n, weight.data + (row + 1) * n, &packed[row * wide],
                   [](float x) { return from_float<T>(x); });
  return packed;
}

// Both directions of all layers of "speech" or "text".
template <typename T>
std::vector<unsigned char> pack_lstm(const Model& model, const std::string& modality,
                                     std::int64_t width) {
  const Config& c = model.config;
  std::vector<LstmWeights> weights;
  for (std::int64_t layer = 0; layer < c.lstm_layers; ++layer)
    for (const char* direction : {"forward_layers", "backward_layers"}) {
      const std::string name =
          modality + ".bilstm." + direction + "." + std::to_string(layer) + ".";
      const auto at = [&](const char* part) { return model.weight(name + part + "_l0").data; };
      weights.push_back({at("weight_ih"), at("weight_hh"), at("bias_ih"), at("bias_hh")});
    }
  std::vector<unsigned char> packed(bilstm_packed_bytes<T>(width, c.hidden, c.lstm_layers));
  bilstm_pack<T>(weights.data(), width, c.hidden, c.lstm_layers, packed.data());
  return packed;
}

}  // namespace gban::cuda
