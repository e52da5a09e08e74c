#include "creators.h"

#include "align_pool.h"
#include "bilstm.h"
#include "logging.h"

namespace gban::tensorrt {
namespace {

using namespace nvinfer1;

class Creator : public IPluginCreatorV3One {
 public:
  explicit Creator(const char* name) : name_(name) {}

  const char* getPluginName() const noexcept override { return name_; }
  const char* getPluginVersion() const noexcept override { return kPluginVersion; }
  const char* getPluginNamespace() const noexcept override { return kNamespace; }

  // The same in both phases: an engine holds the attributes as they were given.
  IPluginV3* createPlugin(const char* node, const PluginFieldCollection* fields,
                          TensorRTPhase) noexcept override {
    std::unique_ptr<Plugin> made;
    guarded(name_, node, [&] { made = make(node ? node : "", fields); });
    return made.release();
  }

 private:
  virtual std::unique_ptr<Plugin> make(const char* node,
                                       const PluginFieldCollection* fields) const = 0;

  const char* name_;
};

class AlignPoolCreator final : public Creator {
 public:
  AlignPoolCreator() : Creator("AlignPool") {}
  const PluginFieldCollection* getFieldNames() noexcept override { return &fields_; }

 private:
  std::unique_ptr<Plugin> make(const char* node,
                               const PluginFieldCollection* fields) const override {
    if (fields) Fields(fields, {});  // refuses all
    return std::make_unique<AlignPool>(node);
  }

  PluginFieldCollection fields_{};
};

class BiLstmCreator final : public Creator {
 public:
  BiLstmCreator() : Creator("BiLSTM") {}
  const PluginFieldCollection* getFieldNames() noexcept override { return bilstm_field_names(); }

 private:
  std::unique_ptr<Plugin> make(const char* node,
                               const PluginFieldCollection* fields) const override {
    return std::make_unique<BiLstm>(node, std::make_shared<BiLstmWeights>(fields));
  }
};

}  // namespace

const std::array<IPluginCreatorInterface*, 2>& creators() {
  static AlignPoolCreator align_pool;
  static BiLstmCreator bilstm;
  static const std::array<IPluginCreatorInterface*, 2> all{&align_pool, &bilstm};
  return all;
}

}  // namespace gban::tensorrt
