// The library's two exported functions, and what it does when it is loaded.
//
// TensorRT takes plugins from a library in either of two ways (developer guide, "Plugin Shared
// Libraries"; samples/trtexec/README.md; IPluginRegistry::loadLibrary in NvInferRuntimeCommon.h):
//
// - Statically: a program dlopens it and the library registers its creators itself, as NVIDIA's
//   REGISTER_TENSORRT_PLUGIN does. So do trtexec --staticPlugins and ctypes.CDLL.
// - Dynamically: the library exports getCreators and setLoggerFinder. IPluginRegistry::loadLibrary
//   dlopens it, calls both and registers the creators that it gets. "The call will fail and return
//   nullptr if any of the plugins are already registered." So do trtexec --dynamicPlugins and
//   --setPluginsToSerialize, and Python's plugin registry's load_library.
//
// This library does both. Being dlopened, it registers; being asked for its creators, it takes that
// back first, so that loadLibrary finds nothing registered: whoever calls getCreators registers
// what it returns. deregisterLibrary undoes what loadLibrary did; unloading undoes what loading
// did.
#include <dlfcn.h>

#include <mutex>

#include "creators.h"
#include "logging.h"
#include "nvinfer_library.h"
#include "plugin.h"

namespace gban::tensorrt {
namespace {

// Says why not, where a libnvinfer is loaded whose classes are laid out otherwise.
bool usable(const NvinferLibrary& library) noexcept {
  return guarded("plugins", nullptr, [&] {
           if (!library.fits())
             throw std::runtime_error(
                 "not registered: compiled with the headers of TensorRT " +
                 std::to_string(NV_TENSORRT_MAJOR) + ", but libnvinfer here says version " +
                 std::to_string(library.version()) +
                 "; build libgban_edge_tensorrt.so with its headers (TENSORRT_ROOT)");
         }) == 0;
}

class Registration {
 public:
  Registration() noexcept {
    creators();  // made before this and therefore destroyed after it
    const NvinferLibrary library = NvinferLibrary::loaded();
    registry_ = usable(library) ? library.registry() : nullptr;
    if (!registry_) return;
    for (int i = 0; i < 2; ++i)
      registered_[i] = registry_->registerCreator(*creators()[i], kNamespace);
  }
  ~Registration() { take_back(); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  void take_back() noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (int i = 0; i < 2; ++i) {
      if (registered_[i]) registry_->deregisterCreator(*creators()[i]);
      registered_[i] = false;
    }
  }

 private:
  std::mutex mutex_;
  nvinfer1::IPluginRegistry* registry_ = nullptr;
  bool registered_[2] = {};
};

Registration registration;

}  // namespace
}  // namespace gban::tensorrt

#define GBAN_EXPORT extern "C" __attribute__((visibility("default")))

GBAN_EXPORT nvinfer1::IPluginCreatorInterface* const* getCreators(std::int32_t& count) {
  using namespace gban::tensorrt;
  registration.take_back();
  const bool good = usable(NvinferLibrary::loaded());
  count = good ? static_cast<std::int32_t>(creators().size()) : 0;
  return good ? creators().data() : nullptr;
}

GBAN_EXPORT void setLoggerFinder(nvinfer1::ILoggerFinder* finder) {
  gban::tensorrt::set_logger_finder(finder);
}
