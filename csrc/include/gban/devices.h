// The GPUs of this machine, as the CUDA build of the core sees them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace gban::cuda {

struct Device {
  std::string name;
  int major, minor;    // compute capability
  int processors;      // streaming multiprocessors
  std::size_t memory;  // bytes
};

struct Devices {
  std::vector<Device> found;
  std::string reason;   // why none was found, in CUDA's words; empty where some were
  int runtime, driver;  // versions as CUDA writes them: 13000 is 13.0; driver 0: there is none
};

// Works where there is no driver and no GPU, and says so.
Devices devices();

// Makes a device the calling thread's current one for its own lifetime.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device);
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int before_ = 0, device_ = 0;
};

}  // namespace gban::cuda
