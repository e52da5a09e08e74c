#include "plugin.h"

#include <cstring>
#include <stdexcept>

#include "logging.h"

namespace gban::tensorrt {

using namespace nvinfer1;

#define GBAN_TEXT_OF(x) #x
#define GBAN_TEXT(x) GBAN_TEXT_OF(x)
const char* const kBuild = "gban_edge_tensorrt " GBAN_VERSION " NvInfer " GBAN_TEXT(
    NV_TENSORRT_MAJOR) "." GBAN_TEXT(NV_TENSORRT_MINOR) "." GBAN_TEXT(NV_TENSORRT_PATCH);

IPluginCapability* Plugin::getCapabilityInterface(PluginCapabilityType type) noexcept {
  switch (type) {
    case PluginCapabilityType::kCORE:
      return static_cast<IPluginV3OneCore*>(this);
    case PluginCapabilityType::kBUILD:
      return static_cast<IPluginV3OneBuild*>(this);
    case PluginCapabilityType::kRUNTIME:
      return static_cast<IPluginV3OneRuntime*>(this);
  }
  return nullptr;
}

IPluginV3* Plugin::clone() noexcept {
  std::unique_ptr<Plugin> made;
  guarded(name_, node_.c_str(), [&] { made = copy(); });
  return made.release();
}

IPluginV3* Plugin::attachToContext(IPluginResourceContext*) noexcept {
  std::unique_ptr<Plugin> made;
  const int failed = guarded(name_, node_.c_str(), [&] {
    made = copy();
    made->load();
  });
  return failed ? nullptr : made.release();
}

bool Plugin::supportsFormatCombination(std::int32_t position,
                                       const DynamicPluginTensorDesc* tensors, std::int32_t inputs,
                                       std::int32_t outputs) noexcept {
  // A question that TensorRT asks of many combinations: no is an answer, not an error.
  try {
    check_counts(signature_, inputs, outputs);
    if (position < 0 || position >= inputs + outputs) return false;
    check_values_type(signature_, tensors[0].desc.type);
    check_tensor(signature_, position, tensors[position].desc, tensors[0].desc.type);
    return true;
  } catch (...) {
    return false;
  }
}

std::int32_t Plugin::getOutputDataTypes(DataType* output_types, std::int32_t outputs,
                                        const DataType* input_types,
                                        std::int32_t inputs) const noexcept {
  return guarded(name_, node_.c_str(), [&] {
    check_counts(signature_, inputs, outputs);
    check_values_type(signature_, input_types[0]);
    for (int i = 0; i < inputs; ++i) check_type(signature_, i, input_types[i], input_types[0]);
    for (int i = 0; i < outputs; ++i)
      output_types[i] =
          signature_.outputs[i].kind == Kind::sums ? DataType::kFLOAT : input_types[0];
  });
}

std::int32_t Plugin::getOutputShapes(const DimsExprs* inputs, std::int32_t input_count,
                                     const DimsExprs*, std::int32_t, DimsExprs* outputs,
                                     std::int32_t output_count, IExprBuilder& builder) noexcept {
  return guarded(name_, node_.c_str(), [&] {
    check_counts(signature_, input_count, output_count);
    Sizes sizes = signature_.constants;
    const IDimensionExpr* found[128] = {};
    for (int i = 0; i < input_count; ++i) {
      Dims known{inputs[i].nbDims, {}};
      for (int d = 0; d < known.nbDims && d < Dims::MAX_DIMS; ++d)
        known.d[d] = inputs[i].d[d]->isConstant() ? inputs[i].d[d]->getConstantValue() : -1;
      bind(signature_, i, known, sizes);
      for (int d = 0; d < known.nbDims; ++d) {
        const auto letter = static_cast<unsigned char>(signature_.inputs[i].shape[d]);
        if (!found[letter]) found[letter] = inputs[i].d[d];
      }
    }
    for (int i = 0; i < output_count; ++i) {
      const char* shape = signature_.outputs[i].shape;
      outputs[i].nbDims = static_cast<std::int32_t>(std::strlen(shape));
      for (int d = 0; d < outputs[i].nbDims; ++d) {
        const std::int64_t constant = signature_.constants[shape[d]];
        outputs[i].d[d] = constant != Sizes::kUnknown ? builder.constant(constant)
                                                      : found[static_cast<unsigned char>(shape[d])];
      }
    }
  });
}

void Plugin::check_all(const PluginTensorDesc* in, const PluginTensorDesc* out,
                       Sizes& sizes) const {
  for (int i = 0; i < signature_.input_count() + signature_.output_count(); ++i) {
    const PluginTensorDesc& tensor =
        i < signature_.input_count() ? in[i] : out[i - signature_.input_count()];
    check_tensor(signature_, i, tensor, in[0].type);
    bind(signature_, i, tensor.dims, sizes);
  }
}

std::int32_t Plugin::configurePlugin(const DynamicPluginTensorDesc* in, std::int32_t inputs,
                                     const DynamicPluginTensorDesc* out,
                                     std::int32_t outputs) noexcept {
  return guarded(name_, node_.c_str(), [&] {
    check_counts(signature_, inputs, outputs);
    const DataType type = in[0].desc.type;
    check_values_type(signature_, type);
    std::vector<PluginTensorDesc> tensors;
    for (int i = 0; i < inputs; ++i) tensors.push_back(in[i].desc);
    for (int i = 0; i < outputs; ++i) tensors.push_back(out[i].desc);
    Sizes sizes = signature_.constants, least = sizes, most = sizes;
    check_all(tensors.data(), tensors.data() + inputs, sizes);
    for (int i = 0; i < inputs; ++i) {
      bind(signature_, i, in[i].min, least);
      bind(signature_, i, in[i].max, most);
    }
    check_sizes(signature_, least);
    check_sizes(signature_, most);
    check_device(most, type);
  });
}

std::int32_t Plugin::onShapeChange(const PluginTensorDesc* in, std::int32_t inputs,
                                   const PluginTensorDesc* out, std::int32_t outputs) noexcept {
  return guarded(name_, node_.c_str(), [&] {
    check_counts(signature_, inputs, outputs);
    check_values_type(signature_, in[0].type);
    Sizes sizes = signature_.constants;
    check_all(in, out, sizes);
    check_sizes(signature_, sizes);
    if (sizes == prepared_ && in[0].type == prepared_type_) return;  // only an address changed
    load();
    check_device(sizes, in[0].type);
    workspace_.reserve(workspace(sizes, in[0].type));
    prepared_ = sizes;
    prepared_type_ = in[0].type;
  });
}

std::int32_t Plugin::enqueue(const PluginTensorDesc* in, const PluginTensorDesc* out,
                             const void* const* inputs, void* const* outputs, void*,
                             cudaStream_t stream) noexcept {
  return guarded(name_, node_.c_str(), [&] {
    Sizes sizes = signature_.constants;
    check_all(in, out, sizes);
    if (!(sizes == prepared_) || in[0].type != prepared_type_)
      throw std::logic_error("enqueue with shapes that onShapeChange was not told");
    if (sizes['B'] == 0) return;
    for (int i = 0; i < signature_.input_count(); ++i)
      if (!inputs[i])
        throw std::invalid_argument(std::string(signature_.inputs[i].name) + " has no memory");
    for (int i = 0; i < signature_.output_count(); ++i)
      if (!outputs[i])
        throw std::invalid_argument(std::string(signature_.outputs[i].name) + " has no memory");
    run({sizes, in, inputs, outputs, workspace_.get(), stream}, in[0].type);
  });
}

}  // namespace gban::tensorrt
