// The bodies of device_memory.h, for nvcc (device_memory.cu) and for the shim.
#pragma once

#include "device_memory.h"

#include <algorithm>
#include <utility>

#include "runtime.cuh"

namespace gban::tensorrt {

int current_device() { return dev::current_device(); }

void clear_async(void* memory, std::size_t bytes, cuda::StreamHandle stream) {
  dev::clear_async(memory, bytes, reinterpret_cast<dev::Stream>(stream));
}

DeviceMemory::DeviceMemory(std::size_t bytes) : memory_(dev::allocate(bytes)), bytes_(bytes) {}

DeviceMemory::~DeviceMemory() {
  if (memory_) dev::release(memory_);
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept { *this = std::move(other); }

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void DeviceMemory::upload(const void* host, std::size_t bytes) {
  dev::upload(memory_, host, bytes);
}

void DeviceMemory::clear(std::size_t bytes) { dev::clear(memory_, bytes); }

void OwnedWorkspace::reserve(const cuda::Workspace& wanted) {
  if (wanted.bytes <= bytes()) return;
  DeviceMemory larger(std::max(wanted.bytes, 2 * bytes()));
  larger.clear(wanted.counter_bytes);
  blocks_.push_back(std::move(larger));
}

}  // namespace gban::tensorrt
