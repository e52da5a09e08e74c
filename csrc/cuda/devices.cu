#include "gban/devices.h"

#include "device.cuh"

namespace gban::cuda {

Devices devices() {
  Devices all{};
  cudaRuntimeGetVersion(&all.runtime);
  cudaDriverGetVersion(&all.driver);
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    all.reason = status == cudaSuccess ? "no GPU found" : cudaGetErrorString(status);
    cudaGetLastError();  // so that a later call does not report this one
    return all;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) continue;
    all.found.push_back({properties.name, properties.major, properties.minor,
                         properties.multiProcessorCount, properties.totalGlobalMem});
  }
  return all;
}

DeviceGuard::DeviceGuard(int device) : device_(device) {
  dev::detail::check(cudaGetDevice(&before_), "device", "DeviceGuard");
  if (before_ != device_) dev::detail::check(cudaSetDevice(device_), "device", "DeviceGuard");
}

DeviceGuard::~DeviceGuard() {
  if (before_ != device_) cudaSetDevice(before_);
}

}  // namespace gban::cuda
