// The plugins' device memory, and their test's, on the shim.
#include "../tensorrt/device_memory.cuh"
#include "tensorrt_device.cuh"
