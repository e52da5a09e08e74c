#include "tensorrt_driver.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <list>
#include <numeric>
#include <stdexcept>

#include "tensorrt_fakes.h"

namespace tensorrt_test {

using namespace nvinfer1;

std::size_t size_of(DataType type) {
  return type == DataType::kHALF ? 2 : type == DataType::kINT64 ? 8 : 4;
}

std::size_t Tensor::count() const {
  return static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
}

namespace {

template <typename T>
T read(const std::vector<unsigned char>& bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}
template <typename T>
void write(std::vector<unsigned char>& bytes, std::size_t i, T value) {
  std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
}

Dims dims(const Shape& shape) {
  Dims made{static_cast<std::int32_t>(shape.size()), {}};
  std::copy(shape.begin(), shape.end(), made.d);
  return made;
}

}  // namespace

Numbers Tensor::numbers() const {
  Numbers values(count());
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = type == DataType::kHALF ? gban::to_float(read<gban::Half>(bytes, i))
                                        : read<float>(bytes, i);
  return values;
}

Tensor make_tensor(const std::string& name, const Shape& shape, DataType type,
                   const Numbers& values) {
  Tensor t{name, shape, type, {}};
  t.bytes.resize(t.count() * size_of(type));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto narrow = static_cast<float>(values[i]);
    if (type == DataType::kHALF) write(t.bytes, i, gban::to_half(narrow));
    if (type == DataType::kFLOAT) write(t.bytes, i, narrow);
    if (type == DataType::kINT64) write(t.bytes, i, static_cast<std::int64_t>(values[i]));
    if (type == DataType::kINT32) write(t.bytes, i, static_cast<std::int32_t>(values[i]));
  }
  return t;
}

Attributes::One& Attributes::operator[](const std::string& name) {
  return *std::find_if(all.begin(), all.end(), [&](const One& one) { return one.name == name; });
}

void Attributes::remove(const std::string& name) {
  all.erase(
      std::remove_if(all.begin(), all.end(), [&](const One& one) { return one.name == name; }),
      all.end());
}

Attributes serialised(IPluginV3& plugin) {
  Attributes made;
  const PluginFieldCollection* fields = runtime(plugin).getFieldsToSerialize();
  for (int i = 0; i < fields->nbFields; ++i) {
    const PluginField& f = fields->fields[i];
    const std::size_t each = f.type == PluginFieldType::kFLOAT16 ? 2 : 4;
    const auto* begin = static_cast<const unsigned char*>(f.data);
    made.all.push_back({f.name, f.type, f.length, {begin, begin + each * f.length}});
  }
  return made;
}

IPluginCreatorV3One& creator(const std::string& name) {
  std::int32_t count = 0;
  IPluginCreatorInterface* const* all = getCreators(count);
  for (int i = 0; i < count; ++i) {
    auto& one = *static_cast<IPluginCreatorV3One*>(all[i]);
    if (one.getPluginName() == name) return one;
  }
  throw std::runtime_error("no creator " + name);
}

Owned create(const std::string& name, const Attributes& attributes, TensorRTPhase phase) {
  std::vector<PluginField> fields;
  for (const auto& one : attributes.all)
    fields.push_back({one.name.c_str(), one.bytes.data(), one.type, one.length});
  const PluginFieldCollection collection{static_cast<std::int32_t>(fields.size()), fields.data()};
  return Owned(creator(name).createPlugin("layer_7", &collection, phase));
}

Owned clone(IPluginV3& plugin) { return Owned(plugin.clone()); }

IPluginV3OneBuild& build(IPluginV3& plugin) {
  return *static_cast<IPluginV3OneBuild*>(
      plugin.getCapabilityInterface(PluginCapabilityType::kBUILD));
}

IPluginV3OneRuntime& runtime(IPluginV3& plugin) {
  return *static_cast<IPluginV3OneRuntime*>(
      plugin.getCapabilityInterface(PluginCapabilityType::kRUNTIME));
}

std::vector<PluginTensorDesc> descriptions(const std::vector<Tensor>& tensors) {
  std::vector<PluginTensorDesc> all;
  for (const Tensor& t : tensors)
    all.push_back({dims(t.shape), t.type, TensorFormat::kLINEAR, -1.0f});
  return all;
}

std::vector<DynamicPluginTensorDesc> dynamic_descriptions(const Case& c) {
  std::vector<DynamicPluginTensorDesc> all;
  const auto add = [&](const std::vector<Tensor>& tensors, bool input) {
    for (const PluginTensorDesc& tensor : descriptions(tensors)) {
      DynamicPluginTensorDesc d{tensor, tensor.dims, tensor.dims, tensor.dims};
      for (int i = 0; i < tensor.dims.nbDims; ++i) {
        const bool fixed = input && i == 2;  // a row's width is no profile's business
        if (!fixed) d.desc.dims.d[i] = -1, d.min.d[i] = 1;
      }
      all.push_back(d);
    }
  };
  add(c.inputs, true);
  add(c.outputs, false);
  return all;
}

std::string build_with(IPluginV3& plugin, const Case& c) {
  IPluginV3OneBuild& b = build(plugin);
  const int n = c.input_count(), m = c.output_count();
  if (b.getNbOutputs() != m) return "number of outputs";
  std::vector<DynamicPluginTensorDesc> all = dynamic_descriptions(c);
  for (int i = 0; i < n + m; ++i) {
    if (!b.supportsFormatCombination(i, all.data(), n, m)) return "format " + std::to_string(i);
    std::vector<DynamicPluginTensorDesc> other = all;
    other[i].desc.format = TensorFormat::kCHW2;
    if (b.supportsFormatCombination(i, other.data(), n, m)) return "another format is taken";
    other = all;
    other[i].desc.type = DataType::kINT8;
    if (b.supportsFormatCombination(i, other.data(), n, m)) return "another type is taken";
  }
  std::vector<DataType> given, types(m);
  for (const Tensor& t : c.inputs) given.push_back(t.type);
  if (b.getOutputDataTypes(types.data(), m, given.data(), n)) return "output types refused";
  for (int i = 0; i < m; ++i)
    if (types[i] != c.outputs[i].type) return "type of " + c.outputs[i].name;

  std::list<Expression> sizes;
  std::vector<DimsExprs> inputs, outputs(m);
  for (const Tensor& t : c.inputs) {
    DimsExprs d{static_cast<std::int32_t>(t.shape.size()), {}};
    for (int i = 0; i < d.nbDims; ++i) {
      sizes.emplace_back(i == 2, t.shape[i]);
      d.d[i] = &sizes.back();
    }
    inputs.push_back(d);
  }
  ExpressionBuilder builder;
  if (b.getOutputShapes(inputs.data(), n, nullptr, 0, outputs.data(), m, builder))
    return "output shapes refused";
  for (int i = 0; i < m; ++i) {
    Shape shape;
    for (int d = 0; d < outputs[i].nbDims; ++d)
      shape.push_back(static_cast<const Expression*>(outputs[i].d[d])->value());
    if (shape != c.outputs[i].shape) return "shape of " + c.outputs[i].name;
  }
  if (b.configurePlugin(all.data(), n, all.data() + n, m)) return "configuration refused";
  return "";
}

Buffers::Buffers(const Case& c) {
  const auto add = [&](const Tensor& t) {
    bytes_.push_back(t.count() * size_of(t.type));
    blocks_.push_back(std::make_unique<Block>(bytes_.back()));
    return blocks_.back()->get();
  };
  for (const Tensor& t : c.inputs) inputs_.push_back(add(t));
  for (const Tensor& t : c.outputs) outputs_.push_back(add(t));
  upload(c);
}

void Buffers::upload(const Case& c) {
  for (std::size_t i = 0; i < c.inputs.size(); ++i) blocks_[i]->upload(c.inputs[i].bytes.data());
}

void Buffers::spoil_outputs() {
  for (std::size_t i = inputs_.size(); i < blocks_.size(); ++i) blocks_[i]->fill_with_nan();
}

std::vector<std::vector<unsigned char>> Buffers::outputs() const {
  std::vector<std::vector<unsigned char>> all;
  for (std::size_t i = inputs_.size(); i < blocks_.size(); ++i) {
    all.emplace_back(bytes_[i]);
    blocks_[i]->download(all.back().data());
  }
  return all;
}

Context::Context(IPluginV3& plugin) : plugin_(runtime(plugin).attachToContext(nullptr)) {}

int Context::set_shapes(const Case& c) {
  if (!attached()) return 1;
  const auto in = descriptions(c.inputs), out = descriptions(c.outputs);
  return runtime(*plugin_).onShapeChange(in.data(), c.input_count(), out.data(), c.output_count());
}

int Context::enqueue(const Case& c, const Buffers& buffers, Stream stream) {
  if (!attached()) return 1;
  const auto in = descriptions(c.inputs), out = descriptions(c.outputs);
  return runtime(*plugin_).enqueue(in.data(), out.data(), buffers.inputs(),
                                   buffers.output_pointers(), nullptr, stream);
}

bool Context::run(Case& c) {
  if (set_shapes(c)) return false;
  const Buffers buffers(c);
  const Stream stream = make_stream();
  const bool good = enqueue(c, buffers, stream) == 0;
  wait(stream);
  end_stream(stream);
  const auto outputs = buffers.outputs();
  for (std::size_t i = 0; i < outputs.size(); ++i) c.outputs[i].bytes = outputs[i];
  return good;
}

double error(const Case& c) {
  double worst = 0;
  for (std::size_t i = 0; i < c.outputs.size(); ++i) {
    const Numbers got = c.outputs[i].numbers();
    double scale = 1e-30;
    for (double x : c.wanted[i]) scale = std::max(scale, std::fabs(x));
    for (std::size_t n = 0; n < got.size(); ++n)
      worst = std::isnan(got[n]) ? HUGE_VAL
                                 : std::max(worst, std::fabs(got[n] - c.wanted[i][n]) / scale);
  }
  return worst;
}

bool finite(const Case& c, std::int64_t b) {
  bool all = true;
  for (const Tensor& t : c.outputs) {
    const Numbers values = t.numbers();
    const std::size_t each = values.size() / static_cast<std::size_t>(t.shape[0]);
    for (std::size_t i = 0; i < each; ++i) all &= std::isfinite(values[b * each + i]);
  }
  return all;
}

}  // namespace tensorrt_test
