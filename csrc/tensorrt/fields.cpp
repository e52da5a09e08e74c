#include "fields.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "gban/numeric.h"

namespace gban::tensorrt {
namespace {

using nvinfer1::PluginField;
using nvinfer1::PluginFieldType;

[[noreturn]] void refuse(const std::string& sentence) { throw std::invalid_argument(sentence); }

std::int64_t number_bytes(PluginFieldType type) {
  return type == PluginFieldType::kFLOAT16 ? sizeof(Half) : sizeof(float);
}

std::string listed(std::initializer_list<const char*> names) {
  std::string text;
  for (const char* name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text.empty() ? "none" : text;
}

}  // namespace

std::int64_t Numbers::size() const {
  return static_cast<std::int64_t>(bytes.size()) / number_bytes(type);
}

std::vector<float> Numbers::floats(std::int64_t begin, std::int64_t count) const {
  std::vector<float> values(static_cast<std::size_t>(count));
  const unsigned char* from = bytes.data() + begin * number_bytes(type);
  if (type == PluginFieldType::kFLOAT32) {
    std::memcpy(values.data(), from, values.size() * sizeof(float));
    return values;
  }
  for (float& value : values) {
    Half half;
    std::memcpy(&half, from, sizeof half);
    value = to_float(half);
    from += sizeof half;
  }
  return values;
}

PluginField Numbers::field(const char* name) const {
  return {name, bytes.data(), type, static_cast<std::int32_t>(size())};
}

Fields::Fields(const nvinfer1::PluginFieldCollection* given,
               std::initializer_list<const char*> known) {
  if (!given) refuse("no fields were given");
  for (int i = 0; i < given->nbFields; ++i) {
    const PluginField& field = given->fields[i];
    const std::string name = field.name ? field.name : "";
    if (std::find(known.begin(), known.end(), name) == known.end())
      refuse("unknown field " + name + "; the fields are: " + listed(known));
    for (const PluginField& earlier : given_)
      if (name == earlier.name) refuse("field " + name + " is given twice");
    given_.push_back(field);
  }
}

const PluginField& Fields::find(const char* name) const {
  for (const PluginField& field : given_)
    if (std::strcmp(field.name, name) == 0) {
      if (!field.data || field.length < 1) refuse("field " + std::string(name) + " is empty");
      return field;
    }
  refuse("field " + std::string(name) + " is missing");
}

std::int64_t Fields::integer(const char* name) const {
  const PluginField& field = find(name);
  if (field.type != PluginFieldType::kINT32 || field.length != 1)
    refuse("field " + std::string(name) + " must be one int32, got " +
           std::to_string(field.length) + " values of TensorRT's field type " +
           std::to_string(static_cast<int>(field.type)));
  std::int32_t value = 0;
  std::memcpy(&value, field.data, sizeof value);
  return value;
}

Numbers Fields::numbers(const char* name) const {
  const PluginField& field = find(name);
  if (field.type != PluginFieldType::kFLOAT32 && field.type != PluginFieldType::kFLOAT16)
    refuse("field " + std::string(name) +
           " must be float32 or float16, got TensorRT's field type " +
           std::to_string(static_cast<int>(field.type)));
  const auto* begin = static_cast<const unsigned char*>(field.data);
  return {field.type, {begin, begin + field.length * number_bytes(field.type)}};
}

}  // namespace gban::tensorrt
