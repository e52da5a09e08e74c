#include "tensorrt_fakes.h"

#include <algorithm>
#include <stdexcept>

namespace tensorrt_test {
namespace {

using namespace nvinfer1;

std::string name_of(const IPluginCreatorInterface& creator, const std::string& space) {
  const auto& one = static_cast<const IPluginCreatorV3One&>(creator);
  return space + "/" + one.getPluginName() + "/" + one.getPluginVersion();
}

// Refuses a name that is there already, as TensorRT's does.
class Registry final : public IPluginRegistry {
 public:
  bool registerCreator(IPluginCreatorInterface& creator, const AsciiChar* space) noexcept override {
    Registered& r = registered();
    const std::string name = name_of(creator, space);
    if (std::find(r.names.begin(), r.names.end(), name) != r.names.end()) {
      ++r.refused;
      return false;
    }
    r.names.push_back(name);
    ++r.joined;
    return true;
  }
  bool deregisterCreator(const IPluginCreatorInterface& creator) noexcept override {
    Registered& r = registered();
    const auto& one = static_cast<const IPluginCreatorV3One&>(creator);
    const auto at =
        std::find(r.names.begin(), r.names.end(), name_of(creator, one.getPluginNamespace()));
    if (at == r.names.end()) return false;
    r.names.erase(at);
    ++r.left;
    return true;
  }

  // What the plugins have no use for.
  void setErrorRecorder(IErrorRecorder*) noexcept override {}
  IErrorRecorder* getErrorRecorder() const noexcept override { return nullptr; }
  bool isParentSearchEnabled() const override { return false; }
  void setParentSearchEnabled(bool) override {}
  PluginLibraryHandle loadLibrary(const AsciiChar*) noexcept override { return nullptr; }
  void deregisterLibrary(PluginLibraryHandle) noexcept override {}
  IPluginCreatorInterface* const* getAllCreators(std::int32_t*) const noexcept override {
    return nullptr;
  }
  virtual IPluginCreatorInterface* const* getAllCreatorsRecursive(std::int32_t*) noexcept {
    return nullptr;
  }
  IPluginCreatorInterface* getCreator(const AsciiChar*, const AsciiChar*,
                                      const AsciiChar*) noexcept override {
    return nullptr;
  }
  IPluginResource* acquirePluginResource(const AsciiChar*, IPluginResource*) noexcept override {
    return nullptr;
  }
  std::int32_t releasePluginResource(const AsciiChar*) noexcept override { return 0; }
#if NV_TENSORRT_MAJOR < 11 && !defined(GBAN_TENSORRT_STAND_IN)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // to be overridden all the same
  bool registerCreator(IPluginCreator&, const AsciiChar*) noexcept override { return false; }
  IPluginCreator* const* getPluginCreatorList(std::int32_t*) const noexcept override {
    return nullptr;
  }
  IPluginCreator* getPluginCreator(const AsciiChar*, const AsciiChar*,
                                   const AsciiChar*) noexcept override {
    return nullptr;
  }
  bool deregisterCreator(const IPluginCreator&) noexcept override { return false; }
#pragma GCC diagnostic pop
#endif
};

std::string& lines() {
  static std::string all;
  return all;
}

class Logger final : public ILogger {
 public:
  void log(Severity severity, const AsciiChar* text) noexcept override {
    lines() += (severity == Severity::kERROR ? "" : "not an error: ") + std::string(text) + "\n";
  }
};

bool finder_throws = false;

Logger& the_logger() {
  static Logger logger;
  return logger;
}

class Finder final : public ILoggerFinder {
 public:
  ILogger* findLogger() override {
    if (finder_throws) throw std::runtime_error("no logger");
    return &the_logger();
  }
};

}  // namespace

Registered& registered() {
  static Registered all;
  return all;
}

std::string logged() {
  std::string all;
  all.swap(lines());
  return all;
}

ILoggerFinder* logger_finder() {
  static Finder finder;
  return &finder;
}

void make_finder_throw(bool throws) { finder_throws = throws; }

}  // namespace tensorrt_test

// What the plugin library looks for: the registry when it is loaded, here before main; the logger
// where no finder has been set.
extern "C" __attribute__((visibility("default"))) nvinfer1::ILogger* getLogger() noexcept {
  return &tensorrt_test::the_logger();
}
extern "C" __attribute__((visibility("default"))) nvinfer1::IPluginRegistry*
getPluginRegistry() noexcept {
  static tensorrt_test::Registry registry;
  return &registry;
}
