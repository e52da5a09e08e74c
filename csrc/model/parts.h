// The parts of load_model.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gban/model.h"
#include "json.h"

namespace gban {

// As in gban_edge/config.py: no network comes near them, and nothing computed of them overflows.
constexpr std::uint64_t kMostSize = 1 << 24;
constexpr std::uint64_t kMostLayers = 16;

// A member is missing or of another JSON type: Python's KeyError or TypeError.
struct Malformed : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// The member of `object` called so. Throws Malformed.
json::Value member(const json::Value& object, std::string_view name);

// Throws Malformed, naming it, where the value is none of `kinds`.
void check_kind(const json::Value& value, json::Kind kind, const char* name);

// GBANConfig.from_dict. Throws std::invalid_argument in its words.
Config config_of(const json::Value& values);

// Weights and their shapes in the order of gban_edge/shapes.py.
using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;
Shapes shapes_of(const std::string& name, const Config& config);

// A tensor of a safetensors file, float32 or not.
struct Entry {
  const char* dtype = nullptr;  // as the file says it: "F32"
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes of the file's data
};

struct SafeTensors {
  std::map<std::string, std::string> metadata;  // of the keys asked for
  std::map<std::string, Entry> entries;
  std::shared_ptr<const char> data;  // aligned for float
};

// Throws FileNotFound, and std::runtime_error where it is not a safetensors file.
SafeTensors read_safetensors(const std::string& path, const std::vector<std::string>& keys);

// "float32" for "F32".
const char* dtype_name(const std::string& dtype);

// The first five of the words that stand more than once, in the order of `words`.
std::vector<std::string> repeated(const std::vector<std::string>& words);

// What a Vocabulary asks of its words. Throws std::invalid_argument.
void check_words(const std::vector<std::string>& words);

// "[1, 2]"
template <typename T>
std::string list_of(const std::vector<T>& numbers) {
  std::string out = "[";
  for (const T& number : numbers) out += (out.size() > 1 ? ", " : "") + std::to_string(number);
  return out + "]";
}

}  // namespace gban
