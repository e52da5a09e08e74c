// One creator for each plugin.
#pragma once

#include <NvInfer.h>

#include <array>

namespace gban::tensorrt {

const std::array<nvinfer1::IPluginCreatorInterface*, 2>& creators();

}  // namespace gban::tensorrt
