// The engine's systems once more: doubles, one utterance, sums as the equations have them.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "gban/engine.h"

namespace gban::testing {

using Row = std::vector<double>;
using Rows2 = std::vector<Row>;  // [steps][width]

struct Gold {
  Row logits, probabilities, aligned_gate, last_gate, speech_weights, text_weights;
  Rows2 alpha;  // [L][K]
};

class GoldNetwork {
 public:
  explicit GoldNetwork(const Model& model) : m_(model), c_(model.config) {}

  Gold operator()(const EngineInput& in) const {
    Gold out;
    Rows2 S, T;
    Row a_s, a_t, h_s, h_t;
    if (m_.name != "h_t") std::tie(S, h_s) = bilstm("speech", convolutions(in));
    if (m_.name != "h_s") std::tie(T, h_t) = bilstm("text", text(in));
    if (!S.empty() && !T.empty()) align(S, T, a_s, a_t, out);
    const Row h = head(a_s, a_t, h_s, h_t, out);
    Row hidden = times("classifier.hidden.weight", h);
    for (double& x : hidden) x = std::max(x, 0.0);
    out.logits = times("classifier.output.weight", hidden);
    for (std::size_t i = 0; i < out.logits.size(); ++i)
      out.logits[i] += m_.weight("classifier.output.bias").data[i];
    Row scaled = out.logits;
    for (double& x : scaled) x /= m_.temperature;
    out.probabilities = softmax(scaled);
    return out;
  }

 private:
  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
  static Row softmax(const Row& x) {
    Row out;
    double sum = 0;
    const double most = *std::max_element(x.begin(), x.end());
    for (double v : x) out.push_back(std::exp(v - most)), sum += out.back();
    for (double& v : out) v /= sum;
    return out;
  }

  Row times(const std::string& name, const Row& x) const {
    const Tensor& w = m_.weight(name);
    Row y(static_cast<std::size_t>(w.shape[0]), 0.0);
    for (std::size_t n = 0; n < y.size(); ++n)
      for (std::size_t k = 0; k < x.size(); ++k) y[n] += w.data[n * x.size() + k] * x[k];
    return y;
  }

  // w [filters, channels, kernel] at steps t .. t + kernel - 1 of x; zero outside x
  Row convolve_at(const std::string& name, const Rows2& x, std::int64_t t) const {
    const Tensor &w = m_.weight(name + ".weight"), &bias = m_.weight(name + ".bias");
    Row y;
    for (std::int64_t n = 0; n < w.shape[0]; ++n) {
      double sum = bias.data[n];
      for (std::int64_t k = 0; k < w.shape[2]; ++k)
        for (std::int64_t c = 0; c < w.shape[1]; ++c)
          if (t + k >= 0 && t + k < static_cast<std::int64_t>(x.size()))
            sum += w.data[(n * w.shape[1] + c) * w.shape[2] + k] * x[t + k][c];
      y.push_back(std::max(sum, 0.0));
    }
    return y;
  }

  static Row larger(const Row& a, const Row& b) {
    Row out;
    for (std::size_t i = 0; i < a.size(); ++i) out.push_back(std::max(a[i], b[i]));
    return out;
  }

  Rows2 convolutions(const EngineInput& in) const {
    Rows2 x;
    for (std::int64_t n = 0; n < std::max(in.frames, c_.receptive_field()); ++n) {
      Row frame(static_cast<std::size_t>(c_.features), 0.0);
      for (std::int64_t i = 0; n < in.frames && i < c_.features; ++i)
        frame[i] =
            (static_cast<double>(in.features[n * c_.features + i]) - m_.mean[i]) / m_.deviation[i];
      x.push_back(frame);
    }
    for (std::size_t layer = 0; layer < c_.conv_filters.size(); ++layer) {
      const std::string name = "speech.convs." + std::to_string(layer);
      const std::int64_t steps = static_cast<std::int64_t>(x.size()) - c_.conv_kernel + 1;
      Rows2 y;
      for (std::int64_t t = 0; t + 1 < steps; t += 2)
        y.push_back(larger(convolve_at(name, x, t), convolve_at(name, x, t + 1)));
      x = y;
    }
    return x;
  }

  Rows2 text(const EngineInput& in) const {
    std::vector<std::int32_t> ids(in.words, in.words + in.word_count);
    if (ids.empty()) ids = {1};
    Rows2 x, y;
    const float* const table = m_.weight("text.embedding.weight").data;
    for (std::int32_t id : ids)
      x.emplace_back(table + id * c_.embedding, table + (id + 1) * c_.embedding);
    for (std::int64_t m = 0; m < static_cast<std::int64_t>(x.size()); m += 2) {
      Row joined;
      for (std::size_t i = 0; i < c_.text_kernels.size(); ++i) {
        const std::string name = "text.convs." + std::to_string(i);
        const std::int64_t before = (c_.text_kernels[i] - 1) / 2;
        Row here = convolve_at(name, x, m - before);
        if (m + 1 < static_cast<std::int64_t>(x.size()))
          here = larger(here, convolve_at(name, x, m + 1 - before));
        joined.insert(joined.end(), here.begin(), here.end());
      }
      y.push_back(joined);
    }
    return y;
  }

  Rows2 lstm(const std::string& name, const Rows2& x) const {
    const auto H = static_cast<std::size_t>(c_.hidden);
    const float *b1 = m_.weight(name + ".bias_ih_l0").data,
                *b2 = m_.weight(name + ".bias_hh_l0").data;
    Row h(H, 0.0), c(H, 0.0);
    Rows2 states;
    for (const Row& step : x) {
      const Row a = times(name + ".weight_ih_l0", step), b = times(name + ".weight_hh_l0", h);
      const auto row = [&](std::size_t i) { return a[i] + b[i] + b1[i] + b2[i]; };
      for (std::size_t u = 0; u < H; ++u) {
        c[u] = sigmoid(row(H + u)) * c[u] + sigmoid(row(u)) * std::tanh(row(2 * H + u));
        h[u] = sigmoid(row(3 * H + u)) * std::tanh(c[u]);
      }
      states.push_back(h);
    }
    return states;
  }

  std::pair<Rows2, Row> bilstm(const std::string& modality, Rows2 x) const {
    Row last;
    for (std::int64_t layer = 0; layer < c_.lstm_layers; ++layer) {
      const std::string end = "_layers." + std::to_string(layer);
      Rows2 ahead = lstm(modality + ".bilstm.forward" + end, x);
      Rows2 back = lstm(modality + ".bilstm.backward" + end, Rows2(x.rbegin(), x.rend()));
      std::reverse(back.begin(), back.end());
      last = ahead.back();
      last.insert(last.end(), back.front().begin(), back.front().end());
      for (std::size_t t = 0; t < x.size(); ++t) {
        x[t] = ahead[t];
        x[t].insert(x[t].end(), back[t].begin(), back[t].end());
      }
    }
    return {x, last};
  }

  // Eqs. 9-14, softmax by softmax.
  void align(const Rows2& S, const Rows2& T, Row& a_s, Row& a_t, Gold& out) const {
    const auto score = [](const Row& x, const Row& y) {
      double sum = 0;
      for (std::size_t d = 0; d < x.size(); ++d) sum += x[d] * y[d];
      return std::tanh(sum);
    };
    out.speech_weights.assign(S.size(), 0.0);
    out.text_weights.assign(T.size(), 0.0);
    for (const Row& t : T) {
      Row scores;
      for (const Row& s : S) scores.push_back(score(s, t));
      out.alpha.push_back(softmax(scores));
      for (std::size_t k = 0; k < S.size(); ++k)
        out.speech_weights[k] += out.alpha.back()[k] / static_cast<double>(T.size());
    }
    for (const Row& s : S) {
      Row scores;
      for (const Row& t : T) scores.push_back(score(s, t));
      const Row beta = softmax(scores);
      for (std::size_t j = 0; j < T.size(); ++j)
        out.text_weights[j] += beta[j] / static_cast<double>(S.size());
    }
    a_s = pooled(S, out.speech_weights);
    a_t = pooled(T, out.text_weights);
  }

  static Row pooled(const Rows2& x, const Row& weights) {
    Row sum(x[0].size(), 0.0);
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t d = 0; d < sum.size(); ++d) sum[d] += weights[i] * x[i][d];
    return sum;
  }

  static Row joined(const std::vector<Row>& rows) {
    Row all;
    for (const Row& row : rows) all.insert(all.end(), row.begin(), row.end());
    return all;
  }

  Row gated(const std::string& group, const Row& s, const Row& t, Row& gate) const {
    const Row p = times(group + ".speech.weight", s), q = times(group + ".text.weight", t);
    gate = times(group + ".gate.weight", joined({s, t}));
    Row h;
    for (std::size_t i = 0; i < gate.size(); ++i) {
      gate[i] = sigmoid(gate[i]);
      h.push_back(gate[i] * std::tanh(p[i]) + (1 - gate[i]) * std::tanh(q[i]));
    }
    return h;
  }

  Row head(const Row& a_s, const Row& a_t, const Row& h_s, const Row& h_t, Gold& out) const {
    if (m_.name == "h_s") return h_s;
    if (m_.name == "h_t") return h_t;
    if (m_.name == "a_s") return a_s;
    if (m_.name == "a_t") return a_t;
    if (m_.name == "concat_1") return joined({a_s, a_t});
    if (m_.name == "concat_2") return joined({a_s, a_t, h_s, h_t});
    if (m_.name == "tfl") {
      Row h;
      for (double x : joined({a_s, {1.0}}))
        for (double y : joined({a_t, {1.0}})) h.push_back(x * y);
      return h;
    }
    Row h = gated("fusion.aligned", a_s, a_t, out.aligned_gate);
    if (m_.name == "gmu") return h;
    const Row last = gated("fusion.last", h_s, h_t, out.last_gate);
    for (std::size_t i = 0; i < h.size(); ++i) h[i] += last[i];
    return h;
  }

  const Model& m_;
  const Config& c_;
};

}  // namespace gban::testing
