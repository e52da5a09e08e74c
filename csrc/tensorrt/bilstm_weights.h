// The attributes of a BiLSTM node, and their packed copies on the devices that need them.
#pragma once

#include <map>
#include <mutex>

#include "device_memory.h"
#include "fields.h"

namespace gban::tensorrt {

// One sequence's, in the layout of ONNX's LSTM operator: gates i, o, f, c; directions forward,
// backward.
struct SequenceWeights {
  Numbers w;  // [2, 4 H, width]
  Numbers r;  // [2, 4 H, H]
  Numbers b;  // [2, 8 H], input biases then recurrent biases
  std::int64_t width;
};

// Shared by a plugin and all its clones. What is serialised are the attributes, not what
// bilstm_pack makes of them: an engine does not depend on that layout, and a plugin from an engine
// is made as one from a network is.
class BiLstmWeights {
 public:
  // Throws std::invalid_argument that names a field which is missing, unknown, of a wrong type or
  // of a wrong length, or sizes that have no kernel. Needs no GPU.
  explicit BiLstmWeights(const nvinfer1::PluginFieldCollection* given);
  BiLstmWeights(const BiLstmWeights&) = delete;
  BiLstmWeights& operator=(const BiLstmWeights&) = delete;

  std::int64_t hidden() const { return hidden_; }
  const SequenceWeights& sequence(int i) const { return sequences_[i]; }
  bool half() const { return sequences_[0].w.type == nvinfer1::PluginFieldType::kFLOAT16; }
  const nvinfer1::PluginFieldCollection* fields() const { return &collection_; }

  // What cuda::BiLstmSequence::weights wants, for both sequences, on the current device; packed and
  // copied there the first time.
  struct OnDevice {
    DeviceMemory sequences[2];
  };
  const OnDevice& on_device();

 private:
  template <typename T>
  DeviceMemory packed(const SequenceWeights& weights) const;

  std::int64_t hidden_;
  std::int32_t hidden_field_;
  SequenceWeights sequences_[2];
  std::vector<nvinfer1::PluginField> fields_;
  nvinfer1::PluginFieldCollection collection_{};
  std::mutex mutex_;
  std::map<int, OnDevice> devices_;
};

// Names, types and no data: what the creator asks the ONNX parser for.
const nvinfer1::PluginFieldCollection* bilstm_field_names();

}  // namespace gban::tensorrt
