// The instruction set that the CPU forms run on, chosen once at run time.
#pragma once

#include <string>
#include <vector>

namespace gban {

enum class Isa { portable, neon, avx2, avx512, avx512vnni };

const char* isa_name(Isa isa);

// Those this build holds and this processor can run, slowest first. Never empty.
const std::vector<Isa>& available_isas();

// The one in use: the fastest available one unless set_isa chose another.
Isa current_isa();

// For tests and measurements. Throws std::invalid_argument naming those that are available.
void set_isa(const std::string& name);

}  // namespace gban
