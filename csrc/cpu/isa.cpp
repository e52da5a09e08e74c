#include "gban/isa.h"

#include <atomic>
#include <stdexcept>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace gban {
namespace {

#if defined(__x86_64__)
// Conversions of halves, which not every compiler's __builtin_cpu_supports knows by name.
bool has_f16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

std::vector<Isa> detect() {
  std::vector<Isa> found = {Isa::portable};
#if defined(__aarch64__)
  found.push_back(Isa::neon);  // part of every 64-bit ARM processor
#elif defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
    found.push_back(Isa::avx2);
  if (found.back() == Isa::avx2 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    found.push_back(Isa::avx512);
  if (found.back() == Isa::avx512 && __builtin_cpu_supports("avx512vnni"))
    found.push_back(Isa::avx512vnni);
#endif
  return found;
}

std::atomic<Isa>& chosen() {
  static std::atomic<Isa> isa{available_isas().back()};
  return isa;
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return "portable";
    case Isa::neon:
      return "neon";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::avx512vnni:
      return "avx512vnni";
  }
  return "unknown";
}

const std::vector<Isa>& available_isas() {
  static const std::vector<Isa> found = detect();
  return found;
}

Isa current_isa() { return chosen().load(std::memory_order_relaxed); }

void set_isa(const std::string& name) {
  std::string names;
  for (Isa isa : available_isas()) {
    if (name == isa_name(isa)) {
      chosen().store(isa);
      return;
    }
    names += (names.empty() ? "" : ", ") + std::string(isa_name(isa));
  }
  throw std::invalid_argument("isa must be one of " + names + " on this machine, got " + name);
}

}  // namespace gban
