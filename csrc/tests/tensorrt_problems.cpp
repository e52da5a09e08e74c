#include "tensorrt_problems.h"

#include "alignment_gold.h"
#include "bilstm_gold.h"

namespace tensorrt_test {
namespace {

using nvinfer1::DataType;

double rounded(double x, DataType type) {
  const auto narrow = static_cast<float>(x);
  return type == DataType::kHALF ? gban::to_float(gban::to_half(narrow)) : narrow;
}

Numbers draw(std::mt19937_64& rng, std::int64_t n, double bound, DataType type) {
  std::uniform_real_distribution<double> uniform(-bound, bound);
  Numbers values(static_cast<std::size_t>(n));
  for (double& v : values) v = rounded(uniform(rng), type);
  return values;
}

Numbers part(const Numbers& from, std::int64_t begin, std::int64_t count) {
  return {from.begin() + begin, from.begin() + begin + count};
}

// The rows of ONNX's gates i, o, f, c in torch's order i, f, g, o, one at a time.
Numbers torch_rows(const Numbers& onnx, std::int64_t H, std::int64_t width) {
  const std::string onnx_order = "iofg", torch_order = "ifgo";
  Numbers to;
  for (char gate : torch_order)
    for (std::int64_t u = 0; u < H; ++u) {
      const auto row = static_cast<std::int64_t>(onnx_order.find(gate)) * H + u;
      for (std::int64_t i = 0; i < width; ++i) to.push_back(onnx[row * width + i]);
    }
  return to;
}

Tensor room(const char* name, const Shape& shape, DataType type) {
  return make_tensor(name, shape, type, {});
}

}  // namespace

Case align_pool_case(std::mt19937_64& rng, const Sizes& s, DataType type) {
  const std::int64_t D = 2 * hidden_units();
  const gold::Problem p(rng, s.B, s.K, s.L, D, true, [&](double x) { return rounded(x, type); });
  Case c;
  c.inputs = {make_tensor("speech", {s.B, s.K, D}, type, p.speech),
              make_tensor("text", {s.B, s.L, D}, type, p.text),
              make_tensor("speech_lengths", {s.B}, DataType::kINT64, {p.k.begin(), p.k.end()}),
              make_tensor("text_lengths", {s.B}, DataType::kINT64, {p.l.begin(), p.l.end()})};
  c.outputs = {room("a_s", {s.B, D}, type), room("a_t", {s.B, D}, type),
               room("speech_weights", {s.B, s.K}, type), room("text_weights", {s.B, s.L}, type),
               room("alpha", {s.B, s.L, s.K}, type)};
  c.wanted = {p.a_s, p.a_t, p.w_s, p.w_t, p.alpha};
  return c;
}

BiLstmNode::BiLstmNode(std::mt19937_64& rng, DataType type_in)
    : hidden(hidden_units()), widths{12, 40}, type(type_in) {
  const double bound = 1.7 / std::sqrt(static_cast<double>(hidden));
  for (int i = 0; i < 2; ++i) {
    w[i] = draw(rng, 8 * hidden * widths[i], bound, type);
    r[i] = draw(rng, 8 * hidden * hidden, bound, type);
    b[i] = draw(rng, 16 * hidden, bound, type);
  }
}

Attributes BiLstmNode::attributes() const {
  const auto field = type == DataType::kHALF ? nvinfer1::PluginFieldType::kFLOAT16
                                             : nvinfer1::PluginFieldType::kFLOAT32;
  Attributes all;
  const auto hidden32 = static_cast<std::int32_t>(hidden);
  const auto* begin = reinterpret_cast<const unsigned char*>(&hidden32);
  all.all.push_back({"hidden_size", nvinfer1::PluginFieldType::kINT32, 1, {begin, begin + 4}});
  for (int i = 0; i < 2; ++i) {
    const std::string of = i ? "text_" : "speech_";
    const std::pair<const char*, const Numbers*> parts[] = {
        {"W", &w[i]}, {"R", &r[i]}, {"B", &b[i]}};
    for (const auto& [name, values] : parts) {
      const auto count = static_cast<std::int64_t>(values->size());
      const Tensor t = make_tensor(name, {count}, type, *values);
      all.all.push_back({of + name, field, static_cast<std::int32_t>(count), t.bytes});
    }
  }
  return all;
}

Case BiLstmNode::call(std::mt19937_64& rng, const Sizes& s, DataType length_type) const {
  Case c;
  const std::int64_t H = hidden, D = 2 * H, steps[] = {s.K, s.L};
  for (int i = 0; i < 2; ++i) {
    std::vector<bilstm_gold::Direction> both;
    for (int d = 0; d < 2; ++d)
      both.push_back(
          {torch_rows(part(w[i], d * 4 * H * widths[i], 4 * H * widths[i]), H, widths[i]),
           torch_rows(part(r[i], d * 4 * H * H, 4 * H * H), H, H),
           torch_rows(part(b[i], d * 8 * H, 4 * H), H, 1),
           torch_rows(part(b[i], d * 8 * H + 4 * H, 4 * H), H, 1)});
    Numbers x(static_cast<std::size_t>(s.B * steps[i] * widths[i]), NAN), lengths;
    Numbers states(static_cast<std::size_t>(s.B * steps[i] * D)), last;
    for (std::int64_t u = 0; u < s.B; ++u) {
      const auto length = 1 + static_cast<std::int64_t>(rng() % steps[i]);
      lengths.push_back(static_cast<double>(length));
      std::vector<Numbers> rows;
      for (std::int64_t k = 0; k < length; ++k) {
        rows.push_back(draw(rng, widths[i], 1.5, type));
        std::copy(rows.back().begin(), rows.back().end(), &x[(u * steps[i] + k) * widths[i]]);
      }
      const bilstm_gold::Result want = bilstm_gold::run_utterance({both}, rows);
      for (std::int64_t k = 0; k < length; ++k)
        std::copy(want.states[k].begin(), want.states[k].end(), &states[(u * steps[i] + k) * D]);
      last.insert(last.end(), want.last.begin(), want.last.end());
    }
    const std::string of = i ? "text" : "speech";
    c.inputs.push_back(make_tensor(of, {s.B, steps[i], widths[i]}, type, x));
    c.inputs.push_back(make_tensor(of + "_lengths", {s.B}, length_type, lengths));
    c.outputs.push_back(room((of + "_states").c_str(), {s.B, steps[i], D}, type));
    c.outputs.push_back(room((of + "_last").c_str(), {s.B, D}, DataType::kFLOAT));
    c.wanted.push_back(states);
    c.wanted.push_back(last);
  }
  return c;
}

}  // namespace tensorrt_test
