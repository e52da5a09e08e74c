// What the plugin library sees of libnvinfer: built as libnvinfer.so.N, with a registry of
// tensorrt_fakes.cpp, for tests/test_tensorrt_library.py. GBAN_NVINFER_VERSION is what it claims.
#include <dlfcn.h>

#include "tensorrt_fakes.h"

using nvinfer1::IPluginCreatorInterface;

extern "C" std::int32_t getInferLibVersion() noexcept { return GBAN_NVINFER_VERSION; }

extern "C" int registered_now() {
  return static_cast<int>(tensorrt_test::registered().names.size());
}

// As IPluginRegistry::loadLibrary does: how many creators it got and could register.
extern "C" int load_library(const char* path) {
  using GetCreators = IPluginCreatorInterface* const*(std::int32_t&);
  void* library = dlopen(path, RTLD_LAZY);
  auto* function =
      reinterpret_cast<GetCreators*>(library ? dlsym(library, "getCreators") : nullptr);
  if (!function) return -1;
  std::int32_t count = 0;
  IPluginCreatorInterface* const* creators = function(count);
  int taken = 0;
  for (int i = 0; i < count; ++i)
    taken += getPluginRegistry()->registerCreator(*creators[i], "gban_edge");
  return taken;
}
