#include "network.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "engine_kernels.h"

namespace gban {
namespace {

// How the engine's systems differ.
struct Kind {
  bool speech, text, aligned;
  Head head;
  std::int64_t first, count;  // of a_s, a_t, h_s, h_t; of pairs where they are gated
};
const std::map<std::string, Kind>& kinds() {
  static const std::map<std::string, Kind> all = {
      {"gban", {true, true, true, Head::gated, 0, 2}},
      {"gmu", {true, true, true, Head::gated, 0, 1}},
      {"tfl", {true, true, true, Head::outer, 0, 2}},
      {"concat_1", {true, true, true, Head::concatenation, 0, 2}},
      {"concat_2", {true, true, true, Head::concatenation, 0, 4}},
      {"a_s", {true, true, true, Head::concatenation, 0, 1}},
      {"a_t", {true, true, true, Head::concatenation, 1, 1}},
      {"h_s", {true, false, false, Head::concatenation, 2, 1}},
      {"h_t", {false, true, false, Head::concatenation, 3, 1}},
  };
  return all;
}

const Kind& kind_of(const std::string& name) {
  const auto found = kinds().find(name);
  if (found != kinds().end()) return found->second;
  std::string names;
  for (const auto& entry : kinds()) names += (names.empty() ? "" : ", ") + entry.first;
  throw std::invalid_argument("model must be one of " + names + " for the engine, got " + name +
                              "; gban_edge.models runs it in PyTorch");
}

struct Packing {
  const Model& model;
  Storage recurrent, other;  // input and recurrent weights; all others
  VectorShape shape;

  PackedMatrix dense(const std::string& name, bool bias) const {
    const Tensor& w = model.weight(name + ".weight");
    return {w.data,
            w.shape[0],
            w.size() / w.shape[0],
            bias ? model.weight(name + ".bias").data : nullptr,
            other,
            shape};
  }
};

// W [filters, channels, kernel] -> [kernel * filters, channels], added at the end of `rows`
void append_taps(const Tensor& w, std::vector<float>& rows) {
  const std::int64_t filters = w.shape[0], channels = w.shape[1], kernel = w.shape[2];
  for (std::int64_t k = 0; k < kernel; ++k)
    for (std::int64_t n = 0; n < filters; ++n)
      for (std::int64_t c = 0; c < channels; ++c)
        rows.push_back(w.data[(n * channels + c) * kernel + k]);
}

// Rows [4 H, width] in torch's order (all of i, f, g, o) -> panels of the four gates of `lanes`
// units; units beyond H are zero.
std::vector<float> by_units(const float* w, std::int64_t H, std::int64_t width, int lanes) {
  const std::int64_t panels = (H + lanes - 1) / lanes;
  std::vector<float> out(static_cast<std::size_t>(panels * 4 * lanes * width), 0.0f);
  for (std::int64_t unit = 0; unit < H; ++unit)
    for (std::int64_t gate = 0; gate < 4; ++gate) {
      const std::int64_t row = (unit / lanes * 4 + gate) * lanes + unit % lanes;
      std::copy_n(w + (gate * H + unit) * width, width, out.data() + row * width);
    }
  return out;
}

LstmDirection direction(const Packing& p, const std::string& name) {
  const Tensor& input = p.model.weight(name + ".weight_ih_l0");
  const Tensor& hidden = p.model.weight(name + ".weight_hh_l0");
  const Tensor &b1 = p.model.weight(name + ".bias_ih_l0"),
               &b2 = p.model.weight(name + ".bias_hh_l0");
  const std::int64_t H = hidden.shape[1], width = input.shape[1];
  std::vector<float> bias(static_cast<std::size_t>(4 * H));
  for (std::int64_t i = 0; i < 4 * H; ++i) bias[i] = b1.data[i] + b2.data[i];
  bias = by_units(bias.data(), H, 1, p.shape.lanes);
  const auto rows = static_cast<std::int64_t>(bias.size());
  return {PackedMatrix(by_units(input.data, H, width, p.shape.lanes).data(), rows, width,
                       bias.data(), p.recurrent, p.shape, 4),
          PackedMatrix(by_units(hidden.data, H, H, p.shape.lanes).data(), rows, H, nullptr,
                       p.recurrent, p.shape, 4)};
}

BiLstm bilstm(const Packing& p, const std::string& name) {
  BiLstm layers;
  for (std::int64_t i = 0; i < p.model.config.lstm_layers; ++i)
    layers.push_back({direction(p, name + ".forward_layers." + std::to_string(i)),
                      direction(p, name + ".backward_layers." + std::to_string(i))});
  return layers;
}

SpeechWeights speech_weights(const Packing& p) {
  SpeechWeights speech;
  speech.mean = p.model.mean;
  for (float deviation : p.model.deviation) speech.scale.push_back(1.0f / deviation);
  for (std::size_t i = 0; i < p.model.config.conv_filters.size(); ++i) {
    const std::string name = "speech.convs." + std::to_string(i);
    const Tensor &w = p.model.weight(name + ".weight"), &bias = p.model.weight(name + ".bias");
    std::vector<float> rows;
    append_taps(w, rows);
    speech.taps.emplace_back(rows.data(), w.shape[2] * w.shape[0], w.shape[1], nullptr, p.other,
                             p.shape);
    speech.bias.emplace_back(bias.data, bias.data + bias.size());
  }
  speech.lstm = bilstm(p, "speech.bilstm");
  return speech;
}

// Every tap of every convolution as rows: [taps * filters, embedding].
std::vector<float> all_taps(const Packing& p) {
  std::vector<float> rows;
  for (std::size_t i = 0; i < p.model.config.text_kernels.size(); ++i)
    append_taps(p.model.weight("text.convs." + std::to_string(i) + ".weight"), rows);
  return rows;
}

// The process with a loaded model is to stay within three times the model file; the weights and the
// table within 2.25 times, the rest being the program and an utterance's own memory.
bool table_is_small(const Config& c, std::int64_t row, std::int64_t others) {
  const std::int64_t file = c.vocabulary * c.embedding + others;
  return c.vocabulary * row + others <= 2 * file + file / 4;
}

Aligned<float> copy_of(const float* values, std::int64_t n) {
  Aligned<float> out(n);
  std::copy_n(values, n, out.data());
  return out;
}

std::int64_t other_weights(const Model& model) {
  std::int64_t total = 0;
  for (const auto& entry : model.weights) total += entry.second.size();
  return total - model.config.vocabulary * model.config.embedding;
}

TextWeights text_weights(const Packing& p) {
  const Config& c = p.model.config;
  TextWeights text;
  for (std::int64_t kernel : c.text_kernels) {
    text.row += kernel * c.text_filters;
    text.reach = std::max(text.reach, kernel / 2);
  }
  const std::vector<float> taps = all_taps(p);
  const float* const words = p.model.weight("text.embedding.weight").data;
  if (table_is_small(c, text.row, other_weights(p.model))) {
    const PackedMatrix exact(taps.data(), text.row, c.embedding, nullptr, Storage::fp32, p.shape);
    const std::int64_t stride = exact.view().padded_rows();
    text.table = Aligned<float>(c.vocabulary * stride);
    engine_kernels().product(exact.view(), words, c.embedding, c.vocabulary, text.table.data(),
                             stride, nullptr, nullptr);
    text.row = stride;
  } else {
    text.taps = PackedMatrix(taps.data(), text.row, c.embedding, nullptr, p.other, p.shape);
    text.embedding = copy_of(words, c.vocabulary * c.embedding);
    text.row = text.taps.view().padded_rows();
  }
  text.bias = Aligned<float>(static_cast<std::int64_t>(c.text_kernels.size()) * c.text_filters);
  for (std::size_t i = 0; i < c.text_kernels.size(); ++i)
    std::copy_n(p.model.weight("text.convs." + std::to_string(i) + ".bias").data, c.text_filters,
                text.bias.data() + static_cast<std::int64_t>(i) * c.text_filters);
  text.lstm = bilstm(p, "text.bilstm");
  return text;
}

}  // namespace

std::int64_t Network::width() const {
  const std::int64_t D = config.states();
  switch (head) {
    case Head::gated:
      return config.fusion;
    case Head::outer:
      return (D + 1) * (D + 1);
    default:
      return slice_count * D;
  }
}

namespace {

// Where there are instructions for it, 16-bit integers with a scale a row take the place of halves:
// as small, faster and more accurate.
Storage recurrent_storage(Precision precision, VectorShape shape) {
  if (precision == Precision::fp32) return Storage::fp32;
  if (precision == Precision::int8) return Storage::int8;
  return shape.deep == 4 ? Storage::int16 : Storage::fp16;
}

}  // namespace

Network pack_network(const Model& model, Precision precision, VectorShape shape) {
  const Kind& kind = kind_of(model.name);
  const Packing p = {model, recurrent_storage(precision, shape),
                     precision == Precision::fp32 ? Storage::fp32 : Storage::fp16, shape};
  Network n;
  n.config = model.config;
  n.temperature = model.temperature;
  n.has_speech = kind.speech;
  n.has_text = kind.text;
  n.aligned = kind.aligned;
  n.head = kind.head;
  n.slice_first = kind.first;
  n.slice_count = kind.count;
  if (kind.speech) n.speech = speech_weights(p);
  if (kind.text) n.text = text_weights(p);
  const char* const groups[] = {"fusion.aligned", "fusion.last"};
  for (std::int64_t i = 0; kind.head == Head::gated && i < kind.count; ++i) {
    const std::string name = groups[i];
    n.pairs.push_back({p.dense(name + ".speech", false), p.dense(name + ".text", false),
                       p.dense(name + ".gate", false)});
  }
  n.hidden = p.dense("classifier.hidden", false);
  n.output = p.dense("classifier.output", true);
  return n;
}

}  // namespace gban
