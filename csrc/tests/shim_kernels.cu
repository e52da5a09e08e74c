// The shim's test kernels as CUDA: this file only has to compile.
#include "shim_kernels.cuh"

template __global__ void kernels::multiply16<gban::Half>(kernels::Product<gban::Half>);
template __global__ void kernels::multiply16<gban::BFloat16>(kernels::Product<gban::BFloat16>);
