// gban_edge/bundle.py's load, check by check and word by word.
#include "gban/model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <new>
#include <set>

#include "gban/frontend.h"
#include "gban/text.h"
#include "parts.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a model file is little-endian and is read in place"
#endif

namespace gban {
namespace {

using json::Kind;
using json::Value;

constexpr int kFormatVersion = 1, kFeatureVersion = 1;
constexpr char kEmbedding[] = "text.embedding.weight";

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

// value == version, as Python compares a JSON value with an integer.
bool equals(const Value& value, int version) {
  switch (value.kind()) {
    case Kind::boolean:
      return value.boolean() == (version == 1);
    case Kind::integer:
    case Kind::real:
      return value.number() == version;
    default:
      return false;
  }
}

void check_version(const Value& stamp) {
  Value version = stamp;
  if (stamp.kind() == Kind::object && !stamp.find("version", &version))
    version = json::literal("null");
  if (!equals(version, kFormatVersion))
    refuse("model file version " + version.repr() + " is not " + std::to_string(kFormatVersion) +
           ", the one this package reads; use the gban-edge that wrote it, or train again");
}

double number_of(const Value& value, const char* name) {
  if (value.kind() != Kind::integer && value.kind() != Kind::real)
    throw Malformed(std::string(name) + " must be a number, got " + value.repr());
  const double number = value.number();
  if (value.kind() == Kind::integer && std::isinf(number))
    throw Malformed(std::string(name) + " holds an integer too large");
  return number;
}

// Throws Malformed for a list with more entries than any size may have.
std::size_t length_of(const Value& list, const char* name) {
  check_kind(list, Kind::list, name);
  std::size_t length = 0;
  list.entries([&](Value) { ++length; });
  if (length > kMostSize) throw Malformed(std::string(name) + " holds too many entries");
  return length;
}

std::vector<std::string> strings_of(const Value& list, const char* name) {
  std::vector<std::string> strings;
  strings.reserve(length_of(list, name));
  list.entries([&](Value entry) {
    check_kind(entry, Kind::string, name);
    strings.push_back(entry.string());
  });
  return strings;
}

// float32 as NumPy rounds: infinite beyond its range.
std::vector<float> floats_of(const Value& list, const char* name) {
  std::vector<float> floats;
  floats.reserve(length_of(list, name));
  list.entries([&](Value entry) { floats.push_back(static_cast<float>(number_of(entry, name))); });
  return floats;
}

struct Texts {
  Value stamp, model, vocabulary, frontend, calibration, training;
};

Texts parse_texts(const std::map<std::string, std::string>& texts) {
  if (texts.count("gban_edge") == 0)
    refuse("not a gban-edge model file (no 'gban_edge' in its metadata)");
  const auto part = [&](const std::string& key) {
    const auto text = texts.find(key);
    if (text == texts.end() && key == "calibration")
      return json::literal(R"({"temperature": 1.0})");
    if (text == texts.end()) refuse("metadata lacks '" + key + "'");
    try {
      return Value::parse(text->second, json::Dialect::python);
    } catch (const json::Error& error) {
      refuse("metadata '" + key + "' is not JSON (" + error.what() + ")");
    }
  };
  const Value stamp = part("gban_edge");
  check_version(stamp);
  return {stamp,           part("model"), part("vocabulary"), part("frontend"), part("calibration"),
          part("training")};
}

Model model_of(const Texts& texts) {
  const Value version = member(texts.frontend, "version");
  if (!equals(version, kFeatureVersion))
    refuse("frontend version " + version.repr() + " is not " + std::to_string(kFeatureVersion) +
           ", the one this package computes");
  Model model;
  const Value name = member(texts.model, "name");
  check_kind(name, Kind::string, "name");
  model.name = name.string();
  model.config = config_of(member(texts.model, "config"));
  model.labels = strings_of(member(texts.model, "labels"), "labels");
  model.vocabulary = strings_of(texts.vocabulary, "vocabulary");
  check_words(model.vocabulary);
  model.mean = floats_of(member(texts.frontend, "mean"), "mean");
  model.deviation = floats_of(member(texts.frontend, "deviation"), "deviation");
  check_kind(texts.training, Kind::object, "training");
  model.temperature = number_of(member(texts.calibration, "temperature"), "temperature");
  return model;
}

bool finite(const float* values, std::int64_t count) {
  return std::all_of(values, values + count, [](float x) { return std::isfinite(x); });
}

void check_values(const Model& model) {
  const Config& config = model.config;
  const auto classes = static_cast<std::size_t>(config.classes);
  if (model.labels.size() != classes || !repeated(model.labels).empty())
    refuse("labels must be " + std::to_string(classes) + " different names, got " +
           json::repr(model.labels));
  if (model.vocabulary.size() != static_cast<std::size_t>(config.vocabulary))
    refuse("vocabulary must have " + std::to_string(config.vocabulary) +
           " words as its config says, got " + std::to_string(model.vocabulary.size()));
  for (const auto& [name, values] :
       {std::make_pair("mean", &model.mean), std::make_pair("deviation", &model.deviation)})
    if (values->size() != static_cast<std::size_t>(config.features) ||
        !finite(values->data(), config.features))
      refuse(std::string("standardisation ") + name + " must be " +
             std::to_string(config.features) + " finite numbers, got shape [" +
             std::to_string(values->size()) + "]");
  if (!std::all_of(model.deviation.begin(), model.deviation.end(), [](float x) { return x > 0; }))
    refuse("standardisation deviation must be positive");
  if (!(model.temperature > 0 && std::isfinite(model.temperature)))
    refuse("temperature must be positive, got " + json::repr(model.temperature));
}

void check_names(const Shapes& shapes, const std::map<std::string, Entry>& entries) {
  std::vector<std::string> missing, unknown;
  std::set<std::string> expected;
  for (const auto& [name, shape] : shapes) expected.insert(name);
  for (const std::string& name : expected)
    if (entries.count(name) == 0 && missing.size() < 5) missing.push_back(name);
  for (const auto& [name, entry] : entries)
    if (expected.count(name) == 0 && unknown.size() < 5) unknown.push_back(name);
  if (!missing.empty() || !unknown.empty())
    refuse("weights missing " + json::repr(missing) + ", unknown " + json::repr(unknown));
}

Tensor tensor_of(const std::string& name, const std::vector<std::int64_t>& shape,
                 const Entry& entry, const char* data) {
  if (std::string(entry.dtype) != "F32")
    refuse(name + " must be float32, got " + dtype_name(entry.dtype));
  if (!std::equal(
          shape.begin(), shape.end(), entry.shape.begin(), entry.shape.end(),
          [](std::int64_t a, std::uint64_t b) { return static_cast<std::uint64_t>(a) == b; }))
    refuse(name + " must have shape " + list_of(shape) + ", got " + list_of(entry.shape));
  // Aligned: float32 tensors alone lie before it.
  Tensor tensor{shape, reinterpret_cast<const float*>(data + entry.begin)};
  if (!finite(tensor.data, tensor.size())) refuse(name + " holds values that are not finite");
  if (name == kEmbedding &&
      std::any_of(tensor.data, tensor.data + shape[1], [](float x) { return x != 0; }))
    refuse("row " + std::to_string(kPadId) + " of " + name + ", the vector of <pad>, must be zero");
  return tensor;
}

Model load(const SafeTensors& file) {
  Model model;
  try {
    model = model_of(parse_texts(file.metadata));
  } catch (const Malformed& error) {
    refuse(std::string("metadata is incomplete or malformed (") + error.what() + ")");
  }
  check_values(model);
  const Shapes shapes = shapes_of(model.name, model.config);
  check_names(shapes, file.entries);
  for (const auto& [name, shape] : shapes)
    model.weights[name] = tensor_of(name, shape, file.entries.at(name), file.data.get());
  model.storage = file.data;
  return model;
}

SafeTensors read(const std::string& path) {
  static const std::vector<std::string> keys = {"gban_edge", "model",       "vocabulary",
                                                "frontend",  "calibration", "training"};
  try {
    return read_safetensors(path, keys);
  } catch (const std::exception& error) {  // std::bad_alloc too: it is larger than the memory
    refuse(std::string("not a readable safetensors file (") + error.what() + ")");
  }
}

}  // namespace

Value member(const Value& object, std::string_view name) {
  Value found = object;
  if (object.kind() != Kind::object || !object.find(name, &found))
    throw Malformed("no '" + std::string(name) + "'");
  return found;
}

void check_kind(const Value& value, Kind kind, const char* name) {
  if (value.kind() != kind)
    throw Malformed(std::string(name) + " is of another type, got " + value.repr());
}

const Tensor& Model::weight(const std::string& name) const {
  const auto found = weights.find(name);
  if (found == weights.end())
    throw std::invalid_argument("the model " + this->name + " has no weight " + name);
  return found->second;
}

Model load_model(const std::string& path) {
  std::error_code error;
  if (path.find('\0') != std::string::npos || !std::filesystem::is_regular_file(path, error))
    throw FileNotFound("model file " + path + " does not exist");
  try {
    return load(read(path));
  } catch (const std::invalid_argument& failure) {
    throw std::invalid_argument(path + ": " + failure.what());
  }
}

}  // namespace gban
