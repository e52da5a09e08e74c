#include "tensorrt_device.cuh"
