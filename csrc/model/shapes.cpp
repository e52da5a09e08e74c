// gban_edge/shapes.py, table by table.
#include <functional>
#include <stdexcept>

#include "json.h"
#include "parts.h"

namespace gban {
namespace {

using Extent = std::int64_t;
using Table = void (*)(Shapes&, const Config&);

void linear(Shapes& out, const std::string& name, Extent rows, Extent columns) {
  out.push_back({name + ".weight", {rows, columns}});
  out.push_back({name + ".bias", {rows}});
}

void convolutions(Shapes& out, const Config& c) {
  Extent width = c.features;
  for (std::size_t i = 0; i < c.conv_filters.size(); ++i) {
    const std::string name = "speech.convs." + std::to_string(i);
    out.push_back({name + ".weight", {c.conv_filters[i], width, c.conv_kernel}});
    out.push_back({name + ".bias", {c.conv_filters[i]}});
    width = c.conv_filters[i];
  }
}

void bilstm(Shapes& out, const std::string& prefix, Extent width, const Config& c) {
  const Extent gates = 4 * c.hidden;
  for (Extent layer = 0; layer < c.lstm_layers; ++layer) {
    for (const char* direction : {".forward_layers.", ".backward_layers."}) {
      const std::string name = prefix + direction + std::to_string(layer);
      out.push_back({name + ".weight_ih_l0", {gates, width}});
      out.push_back({name + ".weight_hh_l0", {gates, c.hidden}});
      out.push_back({name + ".bias_ih_l0", {gates}});
      out.push_back({name + ".bias_hh_l0", {gates}});
    }
    width = c.states();
  }
}

void speech(Shapes& out, const Config& c) {
  convolutions(out, c);
  bilstm(out, "speech.bilstm", c.conv_filters.back(), c);
}

void text(Shapes& out, const Config& c) {
  out.push_back({"text.embedding.weight", {c.vocabulary, c.embedding}});
  for (std::size_t i = 0; i < c.text_kernels.size(); ++i) {
    const std::string name = "text.convs." + std::to_string(i);
    out.push_back({name + ".weight", {c.text_filters, c.embedding, c.text_kernels[i]}});
    out.push_back({name + ".bias", {c.text_filters}});
  }
  bilstm(out, "text.bilstm", c.text_width(), c);
}

void encoders(Shapes& out, const Config& c) {
  speech(out, c);
  text(out, c);
}

void gated_pair(Shapes& out, const std::string& name, const Config& c) {
  out.push_back({name + ".speech.weight", {c.fusion, c.states()}});
  out.push_back({name + ".text.weight", {c.fusion, c.states()}});
  out.push_back({name + ".gate.weight", {c.fusion, 2 * c.states()}});
}

void classifier(Shapes& out, const Config& c, Extent width) {
  out.push_back({"classifier.hidden.weight", {c.classifier, width}});
  out.push_back({"classifier.output.weight", {c.classes, c.classifier}});
  out.push_back({"classifier.output.bias", {c.classes}});
}

void gban_table(Shapes& out, const Config& c) {
  encoders(out, c);
  gated_pair(out, "fusion.aligned", c);
  gated_pair(out, "fusion.last", c);
  classifier(out, c, c.fusion);
}

void gmu(Shapes& out, const Config& c) {
  encoders(out, c);
  gated_pair(out, "fusion.aligned", c);
  classifier(out, c, c.fusion);
}

void h_s(Shapes& out, const Config& c) {
  speech(out, c);
  classifier(out, c, c.states());
}

void h_t(Shapes& out, const Config& c) {
  text(out, c);
  classifier(out, c, c.states());
}

template <int kWidths>
void concatenated(Shapes& out, const Config& c) {
  encoders(out, c);
  classifier(out, c, kWidths * c.states());
}

void tfl(Shapes& out, const Config& c) {
  encoders(out, c);
  classifier(out, c, (c.states() + 1) * (c.states() + 1));
}

void cnn_att(Shapes& out, const Config& c) {
  convolutions(out, c);
  out.push_back({"score.weight", {1, c.conv_filters.back()}});
  classifier(out, c, c.conv_filters.back());
}

void lstm_att(Shapes& out, const Config& c) {
  speech(out, c);
  out.push_back({"state.weight", {c.hidden, c.states()}});
  out.push_back({"context.weight", {c.hidden, c.states()}});
  out.push_back({"score.weight", {1, c.hidden}});
  classifier(out, c, c.states());
}

void self_att(Shapes& out, const Config& c) {
  const Extent D = c.states();
  convolutions(out, c);
  linear(out, "project", D, c.conv_filters.back());
  out.push_back({"attention.in_proj_weight", {3 * D, D}});
  out.push_back({"attention.in_proj_bias", {3 * D}});
  linear(out, "attention.out_proj", D, D);
  out.push_back({"norm.weight", {D}});
  out.push_back({"norm.bias", {D}});
  classifier(out, c, D);
}

void att_lstm(Shapes& out, const Config& c) {
  encoders(out, c);
  out.push_back({"speech_score.weight", {1, c.states()}});
  linear(out, "text_score", 1, c.states());
  bilstm(out, "joint", 2 * c.states(), c);
  classifier(out, c, c.states());
}

void mdre(Shapes& out, const Config& c) {
  encoders(out, c);
  linear(out, "project_speech", c.hidden, c.states());
  linear(out, "project_text", c.hidden, c.states());
  classifier(out, c, 2 * c.hidden);
}

void mdrea(Shapes& out, const Config& c) {
  encoders(out, c);
  linear(out, "project_speech", c.states(), c.states());
  classifier(out, c, 2 * c.states());
}

const std::vector<std::pair<std::string, Table>>& tables() {
  static const std::vector<std::pair<std::string, Table>> all = {
      {"gban", gban_table},
      {"h_s", h_s},
      {"h_t", h_t},
      {"a_s", concatenated<1>},
      {"a_t", concatenated<1>},
      {"concat_1", concatenated<2>},
      {"tfl", tfl},
      {"gmu", gmu},
      {"concat_2", concatenated<4>},
      {"cnn_att", cnn_att},
      {"lstm_att", lstm_att},
      {"self_att", self_att},
      {"att_lstm", att_lstm},
      {"mdre", mdre},
      {"mdrea", mdrea},
  };
  return all;
}

}  // namespace

Shapes shapes_of(const std::string& name, const Config& config) {
  std::vector<std::string> known;
  for (const auto& [model, table] : tables()) {
    if (model == name) {
      Shapes out;
      table(out, config);
      return out;
    }
    known.push_back(model);
  }
  throw std::invalid_argument("model must be one of " + json::repr(known) + ", got " +
                              json::repr(name));
}

std::map<std::string, std::vector<std::int64_t>> expected_shapes(const std::string& name,
                                                                 const Config& config) {
  const Shapes shapes = shapes_of(name, config);
  return {shapes.begin(), shapes.end()};
}

}  // namespace gban
