#include "logging.h"

#include <atomic>
#include <cstdio>

#include "nvinfer_library.h"

namespace gban::tensorrt {
namespace {

std::atomic<nvinfer1::ILoggerFinder*> chosen_finder{nullptr};

// Must be asked for in the thread in which TensorRT called the plugin; it may throw.
nvinfer1::ILogger* find_logger() noexcept {
  try {
    if (nvinfer1::ILoggerFinder* finder = chosen_finder.load()) return finder->findLogger();
    return NvinferLibrary::loaded().logger();
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

void set_logger_finder(nvinfer1::ILoggerFinder* finder) noexcept { chosen_finder.store(finder); }

void log_error(const char* what, const char* node, const char* reason) noexcept {
  char text[1024];  // no allocation: memory may be what ran out
  const bool named = node && *node;
  std::snprintf(text, sizeof text, "gban_edge %s%s%s%s: %s", what, named ? " (" : "",
                named ? node : "", named ? ")" : "", reason);
  if (nvinfer1::ILogger* logger = find_logger())
    logger->log(nvinfer1::ILogger::Severity::kERROR, text);
  else
    std::fprintf(stderr, "%s\n", text);
}

}  // namespace gban::tensorrt
