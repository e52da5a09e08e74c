// Device memory as the plugins need it. The bodies are in device_memory.cuh, so that no plugin
// source includes anything of CUDA but what NvInfer.h includes; the tests build them on the shim.
#pragma once

#include <cstddef>
#include <vector>

#include "gban/alignment_cuda.h"  // StreamHandle

namespace gban::tensorrt {

int current_device();

// Writes zeros in the stream's turn; may be captured.
void clear_async(void* memory, std::size_t bytes, cuda::StreamHandle stream);

// One block on the current device, freed at the end. Throws std::runtime_error with CUDA's reason.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  explicit DeviceMemory(std::size_t bytes);
  ~DeviceMemory();
  DeviceMemory(DeviceMemory&& other) noexcept;
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;

  void* get() const { return memory_; }
  std::size_t bytes() const { return bytes_; }
  void upload(const void* host, std::size_t bytes);
  void clear(std::size_t bytes);  // the first ones

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

// A launcher's workspace, which TensorRT's own cannot be: that one is shared between layers, while
// the counters at this one's start must keep their values from call to call.
class OwnedWorkspace {
 public:
  // Makes it at least so large; new memory has its counters zeroed. What it replaces is kept until
  // the end, since a captured CUDA graph may name it; sizes at least double, so that all of it is
  // less than what is in use now.
  void reserve(const cuda::Workspace& wanted);
  void* get() const { return blocks_.empty() ? nullptr : blocks_.back().get(); }
  std::size_t bytes() const { return blocks_.empty() ? 0 : blocks_.back().bytes(); }

 private:
  std::vector<DeviceMemory> blocks_;
};

}  // namespace gban::tensorrt
