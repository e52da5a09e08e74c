// Drives a plugin through its interface as TensorRT would, with memory of tensorrt_device.h.
#pragma once

#include <NvInfer.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gban/numeric.h"
#include "tensorrt_device.h"

namespace tensorrt_test {

using Numbers = std::vector<double>;
using Shape = std::vector<std::int64_t>;

struct Tensor {
  std::string name;
  Shape shape;
  nvinfer1::DataType type;
  std::vector<unsigned char> bytes;  // an input's contents, or room for an output's

  std::size_t count() const;
  Numbers numbers() const;
};

std::size_t size_of(nvinfer1::DataType type);
Tensor make_tensor(const std::string& name, const Shape& shape, nvinfer1::DataType type,
                   const Numbers& values);

// One call of a plugin: inputs, and what must come out of it.
struct Case {
  std::vector<Tensor> inputs, outputs;
  std::vector<Numbers> wanted;  // of each output

  int input_count() const { return static_cast<int>(inputs.size()); }
  int output_count() const { return static_cast<int>(outputs.size()); }
};

// A plugin's attributes as the ONNX parser hands them over, or an engine: own copies of the data.
struct Attributes {
  struct One {
    std::string name;
    nvinfer1::PluginFieldType type;
    std::int32_t length;
    std::vector<unsigned char> bytes;
  };
  std::vector<One> all;

  One& operator[](const std::string& name);
  void remove(const std::string& name);
};

Attributes serialised(nvinfer1::IPluginV3& plugin);

using Owned = std::unique_ptr<nvinfer1::IPluginV3>;

nvinfer1::IPluginCreatorV3One& creator(const std::string& name);
Owned create(const std::string& name, const Attributes& attributes, nvinfer1::TensorRTPhase phase);
Owned clone(nvinfer1::IPluginV3& plugin);

nvinfer1::IPluginV3OneBuild& build(nvinfer1::IPluginV3& plugin);
nvinfer1::IPluginV3OneRuntime& runtime(nvinfer1::IPluginV3& plugin);

// What TensorRT passes for a case's tensors.
std::vector<nvinfer1::PluginTensorDesc> descriptions(const std::vector<Tensor>& tensors);
// With a profile from 1 to the case's own shape; inputs first, outputs after them.
std::vector<nvinfer1::DynamicPluginTensorDesc> dynamic_descriptions(const Case& c);

// What the builder asks: formats, types, shapes, configuration. "" or what was wrong.
std::string build_with(nvinfer1::IPluginV3& plugin, const Case& c);

// A case's tensors on the device.
class Buffers {
 public:
  explicit Buffers(const Case& c);
  void upload(const Case& c);
  void spoil_outputs();
  std::vector<std::vector<unsigned char>> outputs() const;

  const void* const* inputs() const { return inputs_.data(); }
  void* const* output_pointers() const { return outputs_.data(); }

 private:
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::size_t> bytes_;
  std::vector<const void*> inputs_;
  std::vector<void*> outputs_;
};

// A plugin attached to an execution context. One that could not be attached refuses every call.
class Context {
 public:
  explicit Context(nvinfer1::IPluginV3& plugin);
  bool attached() const { return plugin_ != nullptr; }
  int set_shapes(const Case& c);
  int enqueue(const Case& c, const Buffers& buffers, Stream stream);
  // All of it; what came out in the case's outputs. False where a call was refused.
  bool run(Case& c);

 private:
  Owned plugin_;
};

// Largest difference from what is wanted over all outputs, each relative to its own largest
// magnitude; infinite where there is a NaN.
double error(const Case& c);

// Whether all values that utterance b got are finite.
bool finite(const Case& c, std::int64_t b);

}  // namespace tensorrt_test
