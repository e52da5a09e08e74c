// The arithmetic of a warp's matrix multiply, apart from how its lanes meet.
#pragma once

#include "shim.h"

namespace shim {

// Each lane's registers.
struct Fragments {
  float* d[32];
  const std::uint32_t *a[32], *b[32];
};

// d += a b in the layouts that csrc/cuda/device.cuh writes out. Each sum of one product is cut to
// fp32 toward zero, one product after another: as bad as tensor cores are documented to be. (They
// add several products at once, with a few guard bits.)
void multiply_fragments(const Fragments& all, Fragment kind);

}  // namespace shim
