#include "signature.h"

#include <cstring>
#include <stdexcept>

namespace gban::tensorrt {
namespace {

using nvinfer1::DataType;
using nvinfer1::Dims;

[[noreturn]] void refuse(const std::string& sentence) { throw std::invalid_argument(sentence); }

std::string numbers(const Dims& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.nbDims && i < Dims::MAX_DIMS; ++i)
    text += (i ? ", " : "") + (shape.d[i] < 0 ? std::string("?") : std::to_string(shape.d[i]));
  return text + "]";
}

bool is_values(DataType type) { return type == DataType::kFLOAT || type == DataType::kHALF; }

// ", with B = 2 and K = 7": those of the port's letters that other tensors have decided.
std::string known(const Signature& s, const Port& port, const Sizes& sizes) {
  std::string text;
  for (const char* letter = port.shape; *letter; ++letter)
    if (sizes[*letter] != Sizes::kUnknown && s.constants[*letter] == Sizes::kUnknown)
      text += (text.empty() ? ", with " : " and ") + std::string(1, *letter) + " = " +
              std::to_string(sizes[*letter]);
  return text;
}

}  // namespace

std::string type_name(DataType type) {
  switch (type) {
    case DataType::kFLOAT:
      return "float32";
    case DataType::kHALF:
      return "float16";
    case DataType::kINT8:
      return "int8";
    case DataType::kINT32:
      return "int32";
    case DataType::kINT64:
      return "int64";
    case DataType::kBF16:
      return "bfloat16";
    default:
      return "TensorRT's data type " + std::to_string(static_cast<int>(type));
  }
}

std::string letters(const Port& port, const Sizes& constants) {
  std::string text = "[";
  for (const char* letter = port.shape; *letter; ++letter) {
    if (letter != port.shape) text += ", ";
    const std::int64_t value = constants[*letter];
    text += value == Sizes::kUnknown ? std::string(1, *letter) : std::to_string(value);
  }
  return text + "]";
}

void check_counts(const Signature& s, int inputs, int outputs) {
  if (inputs != s.input_count() || outputs != s.output_count())
    refuse("takes " + std::to_string(s.input_count()) + " inputs and gives " +
           std::to_string(s.output_count()) + " outputs, got " + std::to_string(inputs) + " and " +
           std::to_string(outputs));
}

void check_values_type(const Signature& s, DataType first) {
  const std::string name = s.inputs[0].name;
  if (s.typed && first != s.type)
    refuse(name + " must be " + type_name(s.type) + " as the weights are, got " + type_name(first));
  if (!is_values(first)) refuse(name + " must be float32 or float16, got " + type_name(first));
}

void check_type(const Signature& s, int i, DataType type, DataType values) {
  const Port& port = s.port(i);
  // Sentences are made where they are needed alone: enqueue comes here too.
  const auto got = [&] { return ", got " + type_name(type); };
  const std::string name = port.name;
  if (port.kind == Kind::values && type != values)
    refuse(name + " must be " + type_name(values) + " as " + s.inputs[0].name + " is" + got());
  if (port.kind == Kind::sums && type != DataType::kFLOAT)
    refuse(name + " must be float32" + got());
  if (port.kind == Kind::lengths && type != DataType::kINT64 &&
      !(s.narrow_lengths && type == DataType::kINT32))
    refuse(name + " must be int64" + (s.narrow_lengths ? " or int32" : "") + got());
}

void check_format(const Signature& s, int i, nvinfer1::TensorFormat format) {
  if (format != nvinfer1::TensorFormat::kLINEAR)
    refuse(std::string(s.port(i).name) + " must be in the linear format, got TensorRT's format " +
           std::to_string(static_cast<int>(format)));
}

void check_tensor(const Signature& s, int i, const nvinfer1::PluginTensorDesc& tensor,
                  DataType values) {
  check_format(s, i, tensor.format);
  check_type(s, i, tensor.type, values);
}

void bind(const Signature& s, int i, const Dims& shape, Sizes& sizes) {
  const Port& port = s.port(i);
  const auto rank = static_cast<int>(std::strlen(port.shape));
  bool agrees = shape.nbDims == rank;
  for (int d = 0; agrees && d < rank; ++d)
    agrees = shape.d[d] < 0 || sizes[port.shape[d]] == Sizes::kUnknown ||
             sizes[port.shape[d]] == shape.d[d];
  if (!agrees)
    refuse(std::string(port.name) + " must have shape " + letters(port, s.constants) +
           known(s, port, sizes) + ", got " + numbers(shape));
  for (int d = 0; d < rank; ++d)
    if (shape.d[d] >= 0) sizes.set(port.shape[d], shape.d[d]);
}

void check_sizes(const Signature& s, const Sizes& sizes) {
  for (const Port& port : s.inputs)
    for (const char* letter = port.shape; *letter; ++letter) {
      const std::int64_t least = std::strchr(s.steps, *letter) ? 1 : 0;
      if (sizes[*letter] < least)
        refuse(std::string(port.name) + " " + letters(port, s.constants) + " must have " + *letter +
               " of at least " + std::to_string(least) + ", got " +
               (sizes[*letter] < 0 ? "an unknown size" : std::to_string(sizes[*letter])));
    }
}

}  // namespace gban::tensorrt
