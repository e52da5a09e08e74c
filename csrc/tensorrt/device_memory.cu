#include "device_memory.cuh"
