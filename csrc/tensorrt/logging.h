// Sentences to TensorRT's logger, and the wall that no exception passes.
#pragma once

#include <NvInfer.h>

#include <cstdint>
#include <exception>

namespace gban::tensorrt {

// Who is heard: the finder's logger for this thread, else libnvinfer's global one, else stderr.
void set_logger_finder(nvinfer1::ILoggerFinder* finder) noexcept;

// Writes "gban_edge WHAT (NODE): REASON" as an error; without a node's name "gban_edge WHAT:
// REASON".
void log_error(const char* what, const char* node, const char* reason) noexcept;

// 0 where the body returns; where it throws, its reason is logged and the result is 1.
template <typename Body>
std::int32_t guarded(const char* what, const char* node, const Body& body) noexcept {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    log_error(what, node, error.what());
  } catch (...) {
    log_error(what, node, "an unknown exception");
  }
  return 1;
}

}  // namespace gban::tensorrt
