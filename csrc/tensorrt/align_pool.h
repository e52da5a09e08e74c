// AlignPool: equations 9-14 with their means (gban/alignment.h), as a plugin.
#pragma once

#include "plugin.h"

namespace gban::tensorrt {

class AlignPool final : public Plugin {
 public:
  explicit AlignPool(std::string node);

  const nvinfer1::PluginFieldCollection* getFieldsToSerialize() noexcept override {
    return &fields_;
  }

 private:
  std::unique_ptr<Plugin> copy() const override { return std::make_unique<AlignPool>(*this); }
  void check_device(const Sizes& sizes, nvinfer1::DataType type) const override;
  cuda::Workspace workspace(const Sizes& sizes, nvinfer1::DataType type) const override;
  void run(const Call& call, nvinfer1::DataType type) override;
  template <typename T>
  void run_as(const Call& call) const;

  nvinfer1::PluginFieldCollection fields_{};  // there are no attributes
};

}  // namespace gban::tensorrt
