// The network gban on one utterance in double precision, from the paper's equations and
// tests/numpy_models.py, and random models to run it on. Nothing here is shared with an engine.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "alignment_gold.h"
#include "bilstm_gold.h"
#include "gban/model.h"

namespace engine_gold {

using Numbers = std::vector<double>;
using Rows = std::vector<Numbers>;

// Weights of about the size that training starts from, each passed through `rounded`.
template <typename Round>
gban::Model random_model(std::mt19937_64& rng, const gban::Config& config, const Round& rounded) {
  gban::Model model;
  model.name = "gban";
  model.config = config;
  model.temperature = std::uniform_real_distribution<double>(0.5, 2.0)(rng);
  std::normal_distribution<float> normal;
  for (std::int64_t i = 0; i < config.features; ++i) {
    model.mean.push_back(10 * normal(rng));
    model.deviation.push_back(std::exp(normal(rng)));
  }
  auto storage = std::make_shared<std::vector<std::vector<float>>>();
  for (const auto& [name, shape] : gban::expected_shapes("gban", config)) {
    gban::Tensor tensor{shape, nullptr};
    const double fan_in = shape.size() == 1 ? 16.0 : static_cast<double>(tensor.size() / shape[0]);
    const double spread = name == "text.embedding.weight" ? 1.0 : 1.4 / std::sqrt(fan_in);
    storage->emplace_back();
    for (std::int64_t i = 0; i < tensor.size(); ++i)
      storage->back().push_back(static_cast<float>(rounded(spread * normal(rng))));
    tensor.data = storage->back().data();
    model.weights[name] = tensor;
  }
  model.storage = storage;
  return model;
}

// W v, of W [rows, v's size].
inline Numbers product(const gban::Tensor& w, const Numbers& v) {
  Numbers out(static_cast<std::size_t>(w.shape[0]), 0.0);
  for (std::size_t row = 0; row < out.size(); ++row)
    for (std::size_t i = 0; i < v.size(); ++i) out[row] += w.data[row * v.size() + i] * v[i];
  return out;
}

// 'Valid', then ReLU.
inline Rows convolve(const gban::Tensor& w, const gban::Tensor& bias, const Rows& x) {
  const std::size_t filters = w.shape[0], in = w.shape[1], width = w.shape[2];
  Rows out(x.size() - width + 1, Numbers(filters));
  for (std::size_t t = 0; t < out.size(); ++t)
    for (std::size_t f = 0; f < filters; ++f) {
      double sum = bias.data[f];
      for (std::size_t c = 0; c < in; ++c)
        for (std::size_t k = 0; k < width; ++k)
          sum += w.data[(f * in + c) * width + k] * x[t + k][c];
      out[t][f] = std::max(sum, 0.0);
    }
  return out;
}

inline Rows max_of_pairs(const Rows& x, bool keep_odd) {
  Rows out;
  for (std::size_t t = 0; t + (keep_odd ? 0 : 1) < x.size(); t += 2) {
    out.push_back(x[t]);
    for (std::size_t i = 0; t + 1 < x.size() && i < x[t].size(); ++i)
      out.back()[i] = std::max(x[t][i], x[t + 1][i]);
  }
  return out;
}

inline Rows speech_steps(const gban::Model& m, const std::vector<float>& features) {
  const std::size_t width = m.config.features, frames = features.size() / width;
  const auto field = static_cast<std::size_t>(m.config.receptive_field());
  Rows x(std::max(frames, field), Numbers(width, 0.0));
  for (std::size_t i = 0; i < features.size(); ++i)
    x[i / width][i % width] =
        (static_cast<double>(features[i]) - m.mean[i % width]) / m.deviation[i % width];
  for (std::size_t l = 0; l < m.config.conv_filters.size(); ++l) {
    const std::string name = "speech.convs." + std::to_string(l);
    x = max_of_pairs(convolve(m.weight(name + ".weight"), m.weight(name + ".bias"), x), false);
  }
  return x;
}

inline Rows text_steps(const gban::Model& m, const std::vector<std::int32_t>& words) {
  const std::size_t E = m.config.embedding, M = words.size();
  const float* vectors = m.weight("text.embedding.weight").data;
  Rows out((M + 1) / 2);
  for (std::size_t i = 0; i < m.config.text_kernels.size(); ++i) {
    const std::size_t width = m.config.text_kernels[i], before = (width - 1) / 2;
    Rows padded(M + width - 1, Numbers(E, 0.0));
    for (std::size_t w = 0; w < M; ++w)
      padded[before + w].assign(vectors + words[w] * E, vectors + (words[w] + 1) * E);
    const std::string name = "text.convs." + std::to_string(i);
    const Rows pooled = max_of_pairs(
        convolve(m.weight(name + ".weight"), m.weight(name + ".bias"), padded), true);
    for (std::size_t l = 0; l < out.size(); ++l)
      out[l].insert(out[l].end(), pooled[l].begin(), pooled[l].end());
  }
  return out;
}

inline bilstm_gold::Result recur(const gban::Model& m, const std::string& modality, const Rows& x) {
  std::vector<std::vector<bilstm_gold::Direction>> layers;
  for (std::int64_t l = 0; l < m.config.lstm_layers; ++l) {
    layers.emplace_back();
    for (const char* direction : {"forward_layers", "backward_layers"}) {
      const auto at = [&](const char* part) {
        const gban::Tensor& w =
            m.weight(modality + ".bilstm." + direction + "." + std::to_string(l) + "." + part);
        return Numbers(w.data, w.data + w.size());
      };
      layers.back().push_back(
          {at("weight_ih_l0"), at("weight_hh_l0"), at("bias_ih_l0"), at("bias_hh_l0")});
    }
  }
  return bilstm_gold::run_utterance(layers, x);
}

struct Results {
  Numbers logits, probabilities, aligned_gate, last_gate, speech_weights, text_weights, alpha;
};

// z of eq. 17 or 20; adds the group's half of eq. 21 to h.
inline Numbers gated_pair(const gban::Model& m, const std::string& group, const Numbers& x_s,
                          const Numbers& x_t, Numbers& h) {
  const std::string name = "fusion." + group;
  Numbers both = x_s;
  both.insert(both.end(), x_t.begin(), x_t.end());
  const Numbers p_s = product(m.weight(name + ".speech.weight"), x_s);
  const Numbers p_t = product(m.weight(name + ".text.weight"), x_t);
  Numbers z = product(m.weight(name + ".gate.weight"), both);
  for (std::size_t f = 0; f < z.size(); ++f) {
    z[f] = bilstm_gold::sigmoid(z[f]);
    h[f] += z[f] * std::tanh(p_s[f]) + (1 - z[f]) * std::tanh(p_t[f]);
  }
  return z;
}

inline Numbers flat(const Rows& rows) {
  Numbers out;
  for (const Numbers& row : rows) out.insert(out.end(), row.begin(), row.end());
  return out;
}

inline Results forward(const gban::Model& m, const std::vector<float>& features,
                       std::vector<std::int32_t> words) {
  if (words.empty()) words = {1};
  const auto S = recur(m, "speech", speech_steps(m, features));
  const auto T = recur(m, "text", text_steps(m, words));
  const Numbers s = flat(S.states), t = flat(T.states);
  const std::int64_t K = S.states.size(), L = T.states.size(), D = m.config.states();
  const gold::Direction to_speech(s.data(), K, t.data(), L, D), to_text(t.data(), L, s.data(), K, D);
  Results r;
  r.speech_weights = to_speech.weights;
  r.text_weights = to_text.weights;
  r.alpha = to_speech.softmax;
  Numbers h(static_cast<std::size_t>(m.config.fusion), 0.0);
  r.aligned_gate = gated_pair(m, "aligned", to_speech.pooled, to_text.pooled, h);
  r.last_gate = gated_pair(m, "last", S.last, T.last, h);
  Numbers g = product(m.weight("classifier.hidden.weight"), h);
  for (double& x : g) x = std::max(x, 0.0);
  r.logits = product(m.weight("classifier.output.weight"), g);
  double total = 0;
  for (std::size_t c = 0; c < r.logits.size(); ++c) {
    r.logits[c] += m.weight("classifier.output.bias").data[c];
    r.probabilities.push_back(std::exp(r.logits[c] / m.temperature));
    total += r.probabilities.back();
  }
  for (double& p : r.probabilities) p /= total;
  return r;
}

}  // namespace engine_gold
