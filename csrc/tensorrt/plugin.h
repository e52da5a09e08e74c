// What both plugins have in common: all of IPluginV3, thin over a signature and a launcher.
#pragma once

#include <NvInfer.h>

#include <memory>
#include <string>

#include "device_memory.h"
#include "signature.h"

namespace gban::tensorrt {

constexpr const char* kNamespace = "gban_edge";
constexpr const char* kPluginVersion = "1";
// "gban_edge_tensorrt 0.5.0 NvInfer 10.3.0": in the binary for `strings`, and in every layer's
// metadata.
extern const char* const kBuild;

// The methods of TensorRT's are noexcept: what goes wrong is said to TensorRT's logger and comes
// back as nonzero, false or null. One instance serves one execution context, as attachToContext
// makes them: its calls never overlap.
class Plugin : public nvinfer1::IPluginV3,
               public nvinfer1::IPluginV3OneCore,
               public nvinfer1::IPluginV3OneBuild,
               public nvinfer1::IPluginV3OneRuntime {
 public:
  nvinfer1::IPluginCapability* getCapabilityInterface(
      nvinfer1::PluginCapabilityType type) noexcept override;
  nvinfer1::IPluginV3* clone() noexcept override;

  const char* getPluginName() const noexcept override { return name_; }
  const char* getPluginVersion() const noexcept override { return kPluginVersion; }
  const char* getPluginNamespace() const noexcept override { return kNamespace; }

  std::int32_t getNbOutputs() const noexcept override { return signature_.output_count(); }
  const char* getMetadataString() noexcept override { return kBuild; }
  bool supportsFormatCombination(std::int32_t position,
                                 const nvinfer1::DynamicPluginTensorDesc* tensors,
                                 std::int32_t inputs, std::int32_t outputs) noexcept override;
  std::int32_t getOutputDataTypes(nvinfer1::DataType* output_types, std::int32_t outputs,
                                  const nvinfer1::DataType* input_types,
                                  std::int32_t inputs) const noexcept override;
  std::int32_t getOutputShapes(const nvinfer1::DimsExprs* inputs, std::int32_t input_count,
                               const nvinfer1::DimsExprs* shape_inputs,
                               std::int32_t shape_input_count, nvinfer1::DimsExprs* outputs,
                               std::int32_t output_count,
                               nvinfer1::IExprBuilder& builder) noexcept override;
  std::int32_t configurePlugin(const nvinfer1::DynamicPluginTensorDesc* in, std::int32_t inputs,
                               const nvinfer1::DynamicPluginTensorDesc* out,
                               std::int32_t outputs) noexcept override;

  // Makes the workspace for these shapes. Where it must grow this waits for the device, and is
  // refused while a stream is captured.
  std::int32_t onShapeChange(const nvinfer1::PluginTensorDesc* in, std::int32_t inputs,
                             const nvinfer1::PluginTensorDesc* out,
                             std::int32_t outputs) noexcept override;
  // Asynchronous; allocates nothing and may be captured. TensorRT's workspace is not used.
  std::int32_t enqueue(const nvinfer1::PluginTensorDesc* in, const nvinfer1::PluginTensorDesc* out,
                       const void* const* inputs, void* const* outputs, void* workspace,
                       cudaStream_t stream) noexcept override;
  nvinfer1::IPluginV3* attachToContext(nvinfer1::IPluginResourceContext* context) noexcept override;

 protected:
  // One call: sizes and T have been checked, `in` says which lengths are int32.
  struct Call {
    const Sizes& sizes;
    const nvinfer1::PluginTensorDesc* in;
    const void* const* inputs;
    void* const* outputs;
    void* workspace;
    cuda::StreamHandle stream;

    template <typename T>
    T* output(int i) const {
      return static_cast<T*>(outputs[i]);
    }
    // Dense rows [B, rows, width].
    template <typename T>
    Rows<const T> input(int i, std::int64_t rows, std::int64_t width) const {
      return {static_cast<const T*>(inputs[i]), rows * width, width};
    }
  };

  // `node` is the layer's name, for messages.
  Plugin(const char* name, std::string node, Signature signature)
      : name_(name), node_(std::move(node)), signature_(std::move(signature)) {}
  // A plugin of the same attributes: what belongs to a context is not copied.
  Plugin(const Plugin& other) : Plugin(other.name_, other.node_, other.signature_) {}

  const Signature& signature() const { return signature_; }

 private:
  virtual std::unique_ptr<Plugin> copy() const = 0;
  // Throws where the current device has no kernel for the sizes; they may be unknown.
  virtual void check_device(const Sizes& sizes, nvinfer1::DataType type) const = 0;
  virtual cuda::Workspace workspace(const Sizes& sizes, nvinfer1::DataType type) const = 0;
  // What a context needs on the device beside its workspace; may be called again.
  virtual void load() {}
  virtual void run(const Call& call, nvinfer1::DataType type) = 0;

  void check_all(const nvinfer1::PluginTensorDesc* in, const nvinfer1::PluginTensorDesc* out,
                 Sizes& sizes) const;

  const char* name_;
  std::string node_;
  Signature signature_;
  Sizes prepared_;  // what the last onShapeChange was for
  nvinfer1::DataType prepared_type_ = nvinfer1::DataType::kFLOAT;
  OwnedWorkspace workspace_;
};

}  // namespace gban::tensorrt
