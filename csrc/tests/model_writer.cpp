#include "model_writer.h"

#include <cstring>

namespace gban::test {
namespace {

std::string joined(const std::vector<std::int64_t>& numbers) {
  std::string out;
  for (std::int64_t n : numbers) out += (out.empty() ? "" : ",") + std::to_string(n);
  return "[" + out + "]";
}

std::string repeated(const std::string& number, int count) {
  std::string out = number;
  for (int i = 1; i < count; ++i) out += "," + number;
  return "[" + out + "]";
}

std::string config_text(const Config& c) {
  const auto field = [](const char* name, const std::string& value) {
    return "\"" + std::string(name) + "\":" + value + ",";
  };
  return "{" + field("vocabulary", std::to_string(c.vocabulary)) +
         field("conv_filters", joined(c.conv_filters)) +
         field("conv_kernel", std::to_string(c.conv_kernel)) +
         field("embedding", std::to_string(c.embedding)) +
         field("text_filters", std::to_string(c.text_filters)) +
         field("text_kernels", joined(c.text_kernels)) + field("hidden", std::to_string(c.hidden)) +
         field("lstm_layers", std::to_string(c.lstm_layers)) +
         field("fusion", std::to_string(c.fusion)) +
         field("classifier", std::to_string(c.classifier)) + "\"dropout\":0.5}";
}

// [entries...], each as `text` says it.
template <typename T, typename F>
std::string list_text(const std::vector<T>& entries, F text) {
  std::string out = "[";
  for (const T& entry : entries) out += (out.size() > 1 ? "," : "") + text(entry);
  return out + "]";
}

}  // namespace

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string ModelFile::header() const {
  std::string out = "{\"__metadata__\":{";
  for (const auto& [key, text] : metadata)
    out += (out.back() == '{' ? "" : ",") + quoted(key) + ":" + quoted(text);
  out += "}";
  std::size_t at = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t end = at + tensor.values.size() * sizeof(float);
    out += "," + quoted(name) + ":{\"dtype\":" + quoted(tensor.dtype) +
           ",\"shape\":" + joined(tensor.shape) + ",\"data_offsets\":[" + std::to_string(at) + "," +
           std::to_string(end) + "]}";
    at = end;
  }
  return out + "}";
}

std::string ModelFile::framed(const std::string& header) const {
  std::string out;
  for (int i = 0; i < 8; ++i)
    out += static_cast<char>(static_cast<std::uint64_t>(header.size()) >> 8 * i & 0xFF);
  out += header;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t at = out.size(), bytes = tensor.values.size() * sizeof(float);
    out.resize(at + bytes);
    if (bytes > 0) std::memcpy(&out[at], tensor.values.data(), bytes);
  }
  return out;
}

Config small_config() {
  Config config;
  config.vocabulary = 4;
  config.conv_filters = {2, 3};
  config.conv_kernel = 3;
  config.embedding = 5;
  config.text_filters = 2;
  config.text_kernels = {1, 2};
  config.hidden = 3;
  config.lstm_layers = 2;
  config.fusion = 4;
  config.classifier = 3;
  return config;
}

ModelFile small_model(const std::string& name) {
  const Config config = small_config();
  ModelFile file;
  file.metadata["gban_edge"] = R"({"format":"gban-edge model","version":1})";
  file.metadata["model"] = R"({"name":")" + name + R"(","config":)" + config_text(config) +
                           R"(,"labels":["ang","hap","neu","sad"]})";
  file.metadata["vocabulary"] = "[\"<pad>\",\"<unk>\",\"don't\",\"caf\\u00e9\"]";
  file.metadata["frontend"] = R"({"version":1,"mean":)" + repeated("-1.5", 52) +
                              R"(,"deviation":)" + repeated("2.5e0", 52) + "}";
  file.metadata["calibration"] = R"({"temperature":1.25})";
  file.metadata["training"] = R"({"fold":3,"note":"built in a test"})";
  float next = 0;
  for (const auto& [weight, shape] : expected_shapes(name, config)) {
    Written& tensor = file.tensors[weight];
    tensor.shape = shape;
    std::size_t size = 1;
    for (std::int64_t extent : shape) size *= extent;
    for (std::size_t i = 0; i < size; ++i) tensor.values.push_back(next += 0.25f);
    if (weight == "text.embedding.weight")
      for (std::int64_t i = 0; i < shape[1]; ++i) tensor.values[i] = 0;
  }
  return file;
}

ModelFile model_file(const Model& model) {
  const auto number = [](double value) { return std::to_string(value); };
  ModelFile file;
  file.metadata["gban_edge"] = R"({"format":"gban-edge model","version":1})";
  file.metadata["model"] = "{\"name\":" + quoted(model.name) +
                           ",\"config\":" + config_text(model.config) +
                           ",\"labels\":" + list_text(model.labels, quoted) + "}";
  file.metadata["vocabulary"] = list_text(model.vocabulary, quoted);
  file.metadata["frontend"] = "{\"version\":1,\"mean\":" + list_text(model.mean, number) +
                              ",\"deviation\":" + list_text(model.deviation, number) + "}";
  file.metadata["calibration"] = "{\"temperature\":" + number(model.temperature) + "}";
  file.metadata["training"] = "{}";
  for (const auto& [name, tensor] : model.weights)
    file.tensors[name] = {"F32", tensor.shape, {tensor.data, tensor.data + tensor.size()}};
  return file;
}

}  // namespace gban::test
