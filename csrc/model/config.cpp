// gban_edge/config.py.
#include <algorithm>
#include <stdexcept>

#include "parts.h"

namespace gban {
namespace {

using json::Kind;
using json::Value;

struct Count {
  const char* name;
  std::int64_t Config::* field;
};
constexpr Count kCounts[] = {
    {"vocabulary", &Config::vocabulary}, {"classes", &Config::classes},
    {"features", &Config::features},     {"conv_kernel", &Config::conv_kernel},
    {"embedding", &Config::embedding},   {"text_filters", &Config::text_filters},
    {"hidden", &Config::hidden},         {"lstm_layers", &Config::lstm_layers},
    {"fusion", &Config::fusion},         {"classifier", &Config::classifier}};

struct List {
  const char* name;
  std::vector<std::int64_t> Config::* field;
};
constexpr List kLists[] = {{"conv_filters", &Config::conv_filters},
                           {"text_kernels", &Config::text_kernels}};

const char* python_type(const Value& value) {
  switch (value.kind()) {
    case Kind::null:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::string:
      return "str";
    default:
      return "list";
  }
}

std::int64_t count_of(const std::string& name, const Value& value) {
  const bool positive =
      value.kind() == Kind::integer && value.source()[0] != '-' && value.source() != "0";
  if (!positive)
    throw std::invalid_argument(name + " must be an integer of at least 1, got " + value.repr());
  const std::uint64_t most = name == "lstm_layers" ? kMostLayers : kMostSize;
  std::uint64_t count = 0;
  if (!value.unsigned_integer(&count) || count > most)
    throw std::invalid_argument(name + " must be at most " + std::to_string(most) + ", got " +
                                value.repr());
  return static_cast<std::int64_t>(count);
}

std::vector<std::int64_t> counts_of(const std::string& name, const Value& value) {
  std::uint64_t length = 0;
  if (value.kind() == Kind::list) value.entries([&](Value) { ++length; });
  if (length == 0)
    throw std::invalid_argument(name + " must be a non-empty tuple of integers, got " +
                                value.repr());
  if (length > kMostLayers)
    throw std::invalid_argument(name + " must have at most " + std::to_string(kMostLayers) +
                                " entries, got " + std::to_string(length));
  std::vector<std::int64_t> counts;
  value.entries([&](Value entry) { counts.push_back(count_of(name, entry)); });
  return counts;
}

void check_names(const Value& values) {
  std::vector<std::string> known = {"dropout"}, unknown;
  for (const Count& count : kCounts) known.push_back(count.name);
  for (const List& list : kLists) known.push_back(list.name);
  std::sort(known.begin(), known.end());
  values.members([&](Value key, Value) {
    const std::string name = key.string();
    if (!std::binary_search(known.begin(), known.end(), name)) unknown.push_back(name);
  });
  std::sort(unknown.begin(), unknown.end());
  unknown.erase(std::unique(unknown.begin(), unknown.end()), unknown.end());
  if (!unknown.empty())
    throw std::invalid_argument("config has unknown fields " + json::repr(unknown) +
                                "; known are " + json::repr(known));
}

void check_dropout(const Value& value) {
  if (value.kind() != Kind::integer && value.kind() != Kind::real)
    throw std::invalid_argument("dropout must be a number, got " + value.repr());
  const double dropout = value.number();
  if (!(dropout >= 0 && dropout < 1))
    throw std::invalid_argument("dropout must be in [0, 1), got " + value.repr());
}

}  // namespace

std::int64_t Config::text_width() const {
  return text_filters * static_cast<std::int64_t>(text_kernels.size());
}

std::int64_t Config::receptive_field() const {
  std::int64_t frames = 1;
  for (std::size_t i = 0; i < conv_filters.size(); ++i) frames = 2 * frames + conv_kernel - 1;
  return frames;
}

std::int64_t Config::speech_steps(std::int64_t frames) const {
  std::int64_t steps = std::max(frames, receptive_field());
  for (std::size_t i = 0; i < conv_filters.size(); ++i) steps = (steps - conv_kernel + 1) / 2;
  return steps;
}

Config config_of(const Value& values) {
  if (values.kind() != Kind::object)
    throw std::invalid_argument(std::string("config must be a mapping, got ") +
                                python_type(values));
  check_names(values);
  Config config;
  Value found = json::literal("null");
  if (!values.find("vocabulary", &found))
    throw std::invalid_argument("config lacks the field 'vocabulary'");
  for (const List& list : kLists)
    if (values.find(list.name, &found)) config.*list.field = counts_of(list.name, found);
  for (const Count& count : kCounts)
    if (values.find(count.name, &found)) config.*count.field = count_of(count.name, found);
  if (config.vocabulary < 2)
    throw std::invalid_argument("vocabulary must be at least 2 (<pad>, <unk>), got " +
                                std::to_string(config.vocabulary));
  if (values.find("dropout", &found)) check_dropout(found);
  return config;
}

}  // namespace gban
