#include "nvinfer_library.h"

#include <dlfcn.h>

#include <string>

namespace gban::tensorrt {
namespace {

// dlopen counts; what was only looked at is given back, and stays loaded for those who loaded it.
void* look_up(const char* library) noexcept {
  void* handle = dlopen(library, RTLD_NOLOAD | RTLD_LAZY);
  if (handle) dlclose(handle);
  return handle;
}

const void* object_of(void* symbol) noexcept {
  Dl_info info{};
  return dladdr(symbol, &info) ? info.dli_fbase : nullptr;
}

template <typename Function>
Function* as(void* symbol) noexcept {
  return reinterpret_cast<Function*>(symbol);
}

#define GBAN_TEXT_OF(x) #x
#define GBAN_TEXT(x) GBAN_TEXT_OF(x)
constexpr const char* kLibrary = "libnvinfer.so." GBAN_TEXT(NV_TENSORRT_MAJOR);

}  // namespace

NvinferLibrary NvinferLibrary::loaded() noexcept {
  NvinferLibrary found;
  found.handle_ = look_up(kLibrary);
  found.registry_ = found.find("getPluginRegistry");
  return found;
}

// Beside the registry only: a function of another library may have the same plain name.
void* NvinferLibrary::find(const char* name) const noexcept {
  void* symbol = dlsym(handle_ ? handle_ : RTLD_DEFAULT, name);
  return symbol && registry_ && object_of(symbol) != object_of(registry_) ? nullptr : symbol;
}

int NvinferLibrary::version() const noexcept {
  void* symbol = registry_ ? find("getInferLibVersion") : nullptr;
  return symbol ? as<std::int32_t()>(symbol)() : 0;
}

bool NvinferLibrary::fits() const noexcept {
  const int found = version();
  return found == 0 || found / 10000 == NV_TENSORRT_MAJOR;
}

nvinfer1::IPluginRegistry* NvinferLibrary::registry() const noexcept {
  return registry_ ? as<nvinfer1::IPluginRegistry*()>(registry_)() : nullptr;
}

nvinfer1::ILogger* NvinferLibrary::logger() const noexcept {
  void* symbol = registry_ && fits() ? find("getLogger") : nullptr;
  return symbol ? as<nvinfer1::ILogger*()>(symbol)() : nullptr;
}

}  // namespace gban::tensorrt
