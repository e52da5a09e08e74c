#include "engine_host.cuh"
