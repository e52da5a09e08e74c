// The libnvinfer that this process has loaded. The plugins are not linked with it: they are built
// where there are only its headers, and must load where there is no TensorRT at all.
#pragma once

#include <NvInfer.h>

namespace gban::tensorrt {

class NvinferLibrary {
 public:
  // The one whose major version these sources were compiled for, where it is loaded under its own
  // name; else whatever offers getPluginRegistry to everybody; else none. Loads nothing. Never
  // throws.
  static NvinferLibrary loaded() noexcept;

  // Its version as getInferLibVersion counts, 0 where it does not say.
  int version() const noexcept;
  // Whether its interfaces are laid out as these sources believe: the same major version.
  bool fits() const noexcept;

  // Null where there is none.
  nvinfer1::IPluginRegistry* registry() const noexcept;
  nvinfer1::ILogger* logger() const noexcept;

 private:
  void* find(const char* name) const noexcept;

  void* handle_ = nullptr;    // null: among the symbols that everybody sees
  void* registry_ = nullptr;  // the function getPluginRegistry
};

}  // namespace gban::tensorrt
