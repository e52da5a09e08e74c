// A plugin's attributes as TensorRT hands them over: from the ONNX parser, from a program, or from
// an engine. Every reader throws std::invalid_argument that names the field.
#pragma once

#include <NvInfer.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace gban::tensorrt {

// Numbers as they were given, float32 or float16, to be serialised as they are.
struct Numbers {
  nvinfer1::PluginFieldType type;
  std::vector<unsigned char> bytes;

  std::int64_t size() const;
  std::vector<float> floats(std::int64_t begin, std::int64_t count) const;
  nvinfer1::PluginField field(const char* name) const;
};

class Fields {
 public:
  // Refuses fields that are not `known`, and one that comes twice.
  Fields(const nvinfer1::PluginFieldCollection* given, std::initializer_list<const char*> known);

  // One int32.
  std::int64_t integer(const char* name) const;
  // At least one number; float32 or float16.
  Numbers numbers(const char* name) const;

 private:
  const nvinfer1::PluginField& find(const char* name) const;

  std::vector<nvinfer1::PluginField> given_;
};

}  // namespace gban::tensorrt
