// BiLSTM: one layer of speech and text side by side (gban/bilstm_cuda.h), as a plugin.
#pragma once

#include "bilstm_weights.h"
#include "plugin.h"

namespace gban::tensorrt {

class BiLstm final : public Plugin {
 public:
  BiLstm(std::string node, std::shared_ptr<BiLstmWeights> weights);

  const nvinfer1::PluginFieldCollection* getFieldsToSerialize() noexcept override {
    return weights_->fields();
  }

 private:
  std::unique_ptr<Plugin> copy() const override { return std::make_unique<BiLstm>(*this); }
  void check_device(const Sizes& sizes, nvinfer1::DataType type) const override;
  cuda::Workspace workspace(const Sizes& sizes, nvinfer1::DataType type) const override;
  void load() override { on_device_ = &weights_->on_device(); }
  void run(const Call& call, nvinfer1::DataType type) override;
  template <typename T>
  void run_as(const Call& call) const;

  std::shared_ptr<BiLstmWeights> weights_;
  const BiLstmWeights::OnDevice* on_device_ = nullptr;  // weights_'s, of this context's device
};

}  // namespace gban::tensorrt
